// Waits until there may be work: a hint from Redis, or the clock when there is none.
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

#include "storage/redis/redis.h"

namespace hone::worker {

/// One worker's end of the stream of its GPU class. One thread. Redis only wakes: with Redis gone,
/// emptied or hung the clock alone does, one poll later.
class Waker {
 public:
  Waker(const std::string& redis_url, std::string gpu_class, std::string consumer,
        std::chrono::milliseconds poll);

  /// Returns at a hint, after the poll time ± 25 %, or soon after a stop. Acknowledge with taken().
  void wait(const std::stop_token& stop);
  /// A claim was tried since: the hint has done its work, whoever got the job.
  void taken();

 private:
  bool hint(std::chrono::milliseconds wait);

  std::optional<storage::Redis> redis_;
  std::string stream_;
  std::string consumer_;
  std::chrono::milliseconds poll_;
  std::optional<std::string> message_;
  std::chrono::steady_clock::time_point looked_for_lost_{};
};

}  // namespace hone::worker
