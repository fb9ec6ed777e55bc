// Cuts a child's output into lines of bounded length.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace hone::worker {

/// Feeds on bytes as they come and hands on whole lines, without their ends. A line over the
/// limit is dropped whole and counted: what writes it may be broken, and must not fill our memory.
class Lines {
 public:
  static constexpr std::size_t kMaxBytes = 256 * 1024;

  explicit Lines(std::function<void(std::string_view)> line, std::size_t max_bytes = kMaxBytes)
      : line_(std::move(line)), max_bytes_(max_bytes) {}

  void feed(std::string_view bytes);
  /// The end of the stream: a last line without an end is not handed on, since it may be cut off.
  std::size_t dropped() const { return dropped_; }

 private:
  void end_line();

  std::function<void(std::string_view)> line_;
  std::size_t max_bytes_;
  std::string partial_;
  bool too_long_ = false;
  std::size_t dropped_ = 0;
};

}  // namespace hone::worker
