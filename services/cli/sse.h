// Reads a stream of server-sent events as it comes, in pieces of any size.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace hone::cli {

struct SseEvent {
  std::string id, type, data;
};

/// https://html.spec.whatwg.org/multipage/server-sent-events.html, less `retry`: fields end at a
/// line break (CR, LF or both), an empty line ends an event, lines that begin with ':' are
/// comments.
class SseReader {
 public:
  explicit SseReader(std::function<void(const SseEvent&)> on_event)
      : on_event_(std::move(on_event)) {}
  /// Throws Error{Invalid} when a line grows above a bound that no event of ours reaches.
  void push(std::string_view bytes);

 private:
  void end_line();
  std::function<void(const SseEvent&)> on_event_;
  std::string line_;
  SseEvent event_;
  bool has_data_ = false;
  bool after_cr_ = false;
};

}  // namespace hone::cli
