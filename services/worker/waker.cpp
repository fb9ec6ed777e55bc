#include "services/worker/waker.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <thread>

namespace hone::worker {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How long a stop may go unseen.
constexpr milliseconds kSlice{250};
// A hint that another worker took and did not acknowledge: it died in the moment between.
constexpr milliseconds kLostAfter{30'000};

// Spread, so that many idle workers do not ask in one instant.
milliseconds spread(milliseconds poll) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return milliseconds(std::uniform_int_distribution<std::int64_t>(poll.count() * 3 / 4,
                                                                  poll.count() * 5 / 4)(random));
}

}  // namespace

Waker::Waker(const std::string& redis_url, std::string gpu_class, std::string consumer,
             milliseconds poll)
    : stream_(storage::jobs_stream(gpu_class)), consumer_(std::move(consumer)), poll_(poll) {
  if (!redis_url.empty()) redis_.emplace(storage::parse_redis_url(redis_url));
}

void Waker::wait(const std::stop_token& stop) {
  const auto end = Clock::now() + spread(poll_);
  while (!stop.stop_requested()) {
    const auto now = Clock::now();
    if (now >= end) return;
    const auto slice = std::min(kSlice, std::chrono::ceil<milliseconds>(end - now));
    if (hint(slice)) return;
    // Redis answered at once with nothing, or not at all: the clock takes the rest of the slice.
    std::this_thread::sleep_until(std::min(now + slice, end));
  }
}

bool Waker::hint(milliseconds wait) {
  if (!redis_) return false;
  const auto now = Clock::now();
  if (now - looked_for_lost_ > kLostAfter) {
    looked_for_lost_ = now;
    const auto lost = redis_->xautoclaim(stream_, storage::kWorkersGroup, consumer_, kLostAfter, 1);
    if (lost && !lost->empty()) message_ = lost->front().id;
  }
  if (!message_) {
    const auto fresh = redis_->xreadgroup(stream_, storage::kWorkersGroup, consumer_, 1, wait);
    if (fresh && !fresh->empty()) message_ = fresh->front().id;
  }
  return message_.has_value();
}

void Waker::taken() {
  if (redis_ && message_) redis_->xack(stream_, storage::kWorkersGroup, *message_);
  message_.reset();
}

}  // namespace hone::worker
