#include "services/server/work_pool.h"

#include <fmt/format.h>
#include <pthread.h>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "feedback/base/error.h"

namespace hone::server {

struct WorkPool::State {
  std::string name;
  std::size_t waiting_max;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> waiting;
  std::vector<std::thread> threads;
  bool closed = false;

  void work() {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    for (;;) {
      std::function<void()> job;
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [this] { return closed || !waiting.empty(); });
        if (waiting.empty()) return;
        job = std::move(waiting.front());
        waiting.pop_front();
      }
      job();
    }
  }

  void put(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex);
      if (closed) throw Error(Code::Busy, "the server is stopping");
      if (waiting.size() >= waiting_max)
        throw Error(Code::Busy,
                    fmt::format("too many requests wait ({}); try again in a moment", name));
      waiting.push_back(std::move(job));
    }
    wake.notify_one();
  }
};

WorkPool::WorkPool(std::string name, std::size_t threads, std::size_t waiting_max)
    : state_(std::make_shared<State>()) {
  state_->name = std::move(name);
  state_->waiting_max = waiting_max;
  for (std::size_t i = 0; i < threads; ++i)
    state_->threads.emplace_back([state = state_.get()] { state->work(); });
}

WorkPool::~WorkPool() { join(); }

void WorkPool::join() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
  }
  state_->wake.notify_all();
  for (auto& thread : state_->threads)
    if (thread.joinable()) thread.join();
}

net::awaitable<void> WorkPool::run(std::function<void()> job) {
  const auto state = state_;
  std::exception_ptr failed;
  const auto start = [&state, &job, &failed](auto handler) {
    // std::function wants a copyable job, and the handler is not: it is shared with itself.
    auto resume = std::make_shared<decltype(handler)>(std::move(handler));
    auto executor = net::get_associated_executor(*resume);
    auto guard = net::make_work_guard(executor);
    std::function<void()> act = [resume, executor, guard, &job, &failed] {
      try {
        job();
      } catch (...) {
        failed = std::current_exception();
      }
      net::post(executor, [resume] { std::move (*resume)(); });
    };
    try {
      state->put(act);
    } catch (...) {
      failed = std::current_exception();
      net::post(executor, [resume] { std::move (*resume)(); });
    }
  };
  co_await net::async_initiate<const net::use_awaitable_t<>, void()>(start, net::use_awaitable);
  if (failed) std::rethrow_exception(failed);
}

}  // namespace hone::server
