// What a run tells while it works, and what it asks: the seam between the trainer and whoever runs
// it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hone::rl {

/// Metric names and values, in order; the names are an API (add, never rename).
using Values = std::vector<std::pair<std::string, double>>;

class Observer {
 public:
  virtual ~Observer() = default;
  /// `done` of `total` units of a stage: load, reference, train, evaluate, publish, sample.
  /// eta_s < 0: not known yet.
  virtual void progress(std::string_view stage, std::int64_t done, std::int64_t total,
                        double eta_s) = 0;
  virtual void metrics(std::int64_t step, std::int64_t total_steps, double eta_s,
                       const Values& values) = 0;
  /// The checkpoint exists whole on the disk.
  virtual void checkpoint(std::int64_t step, const std::filesystem::path& path) = 0;
  virtual void message(std::string_view level, const std::string& text) = 0;
  virtual void evaluation(const Values& values) = 0;
  /// Asked at every step boundary, and now and then inside long stages. Waits inside while the run
  /// is paused; true: end here, leaving a checkpoint.
  virtual bool stop_requested() = 0;
};

}  // namespace hone::rl
