// Blocking work beside coroutines: results, errors, the full queue; and the hub that wakes streams.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <thread>

#include "feedback/base/error.h"
#include "services/server/events/event_hub.h"
#include "services/server/work_pool.h"

namespace hone::server {
namespace {

using namespace std::chrono_literals;

net::awaitable<void> take_result(WorkPool& pool, int& out) {
  const auto work = [] { return 42; };
  out = co_await pool.call(work);
}

net::awaitable<void> take_error(WorkPool& pool) {
  const auto work = [] { throw Error(Code::Conflict, "no"); };
  co_await pool.call(work);
}

net::awaitable<void> hold(WorkPool& pool, std::shared_future<void> until,
                          std::atomic<int>& refused) {
  const auto work = [until] { until.wait(); };
  try {
    co_await pool.call(work);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::Busy);
    ++refused;
  }
}

TEST(WorkPool, GivesResultsAndErrorsBackToTheCoroutine) {
  boost::asio::io_context io;
  WorkPool pool("test", 1, 4);
  int result = 0;
  Code code = Code::Invalid;
  boost::asio::co_spawn(io, take_result(pool, result), [](std::exception_ptr) {});
  boost::asio::co_spawn(io, take_error(pool), [&code](std::exception_ptr failed) {
    try {
      if (failed) std::rethrow_exception(failed);
    } catch (const Error& error) {
      code = error.code();
    }
  });
  io.run();
  EXPECT_EQ(result, 42);
  EXPECT_EQ(code, Code::Conflict);
}

TEST(WorkPool, RefusesWhenItsQueueIsFull) {
  boost::asio::io_context io;
  WorkPool pool("test", 1, 2);
  std::promise<void> go;
  const auto until = go.get_future().share();
  std::atomic<int> refused{0};
  // The first is taken by the thread; wait for that, so that exactly two more find room.
  std::promise<void> running;
  const auto first = [&running, until] {
    running.set_value();
    until.wait();
  };
  const auto start = [](WorkPool& on, std::function<void()> job) -> net::awaitable<void> {
    co_await on.run(job);
  };
  boost::asio::co_spawn(io, start(pool, first), [](std::exception_ptr) {});
  std::thread runner([&io] { io.run(); });
  running.get_future().wait();
  for (int i = 0; i < 5; ++i)
    boost::asio::co_spawn(io, hold(pool, until, refused), [](std::exception_ptr) {});
  for (int i = 0; i < 200 && refused < 3; ++i) std::this_thread::sleep_for(5ms);
  EXPECT_EQ(refused, 3);
  go.set_value();
  runner.join();
  EXPECT_EQ(refused, 3);
}

TEST(EventHub, WakesThoseWhoWaitForTheTopicAndNoOthers) {
  boost::asio::io_context io;
  EventHub hub;
  std::atomic<int> woken{0}, slept{0};
  const auto began = std::chrono::steady_clock::now();
  boost::asio::co_spawn(io, hub.wait("a", 10s), [&woken](std::exception_ptr) { ++woken; });
  boost::asio::co_spawn(io, hub.wait("b", 300ms), [&slept](std::exception_ptr) { ++slept; });
  std::thread other([&hub] {
    std::this_thread::sleep_for(50ms);
    hub.announce("a");
  });
  io.run();
  other.join();
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(slept, 1);
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, 300ms);
  EXPECT_LT(took, 5s);
}

TEST(EventHub, LetsEverybodyGoWhenItCloses) {
  boost::asio::io_context io;
  EventHub hub;
  boost::asio::co_spawn(io, hub.wait("a", 1h), [](std::exception_ptr) {});
  std::thread other([&hub] {
    std::this_thread::sleep_for(50ms);
    hub.close();
  });
  io.run();
  other.join();
  boost::asio::co_spawn(io, hub.wait("a", 1h), [](std::exception_ptr) {});
  io.restart();
  io.run();  // returns at once
}

}  // namespace
}  // namespace hone::server
