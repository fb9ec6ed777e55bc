// at::parallel_for is a silent plain loop in a file that is compiled without OpenMP.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace hone::rl {
namespace {

TEST(Threads, ALoopRunsOnAsManyThreadsAsItWasGiven) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  // Each half waits to see the other one under way: on one thread nobody else ever comes.
  std::atomic<int> under_way{0};
  std::atomic<int> met{0};
  at::parallel_for(0, 2, 1, [&](std::int64_t, std::int64_t) {
    ++under_way;
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (under_way < 2 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    if (under_way == 2) ++met;
  });
  at::set_num_threads(before);
  EXPECT_EQ(met, 2);
}

}  // namespace
}  // namespace hone::rl
