#include "services/cli/sse.h"

#include "feedback/base/error.h"

namespace hone::cli {

namespace {
constexpr std::size_t kLineBytesMax = 4 * 1024 * 1024;
}

void SseReader::push(std::string_view bytes) {
  for (const char c : bytes) {
    const bool second_of_crlf = after_cr_ && c == '\n';
    after_cr_ = c == '\r';
    if (second_of_crlf) continue;
    if (c == '\n' || c == '\r') {
      end_line();
      continue;
    }
    line_ += c;
    if (line_.size() > kLineBytesMax)
      throw Error(Code::Invalid, "the server sent an event of more than 4 MB");
  }
}

void SseReader::end_line() {
  const std::string line = std::move(line_);
  line_.clear();
  if (line.empty()) {
    if (has_data_) {
      event_.data.pop_back();  // the last data line's own break
      on_event_(event_);
    }
    // The id stays: it is the stream's position, not the event's own.
    event_.type.clear();
    event_.data.clear();
    has_data_ = false;
    return;
  }
  const auto colon = line.find(':');
  if (colon == 0) return;
  const auto field = line.substr(0, colon);
  auto value = colon == std::string::npos ? std::string() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.erase(0, 1);
  if (field == "id") event_.id = value;
  if (field == "event") event_.type = value;
  if (field == "data") {
    event_.data += value + "\n";
    has_data_ = true;
  }
}

}  // namespace hone::cli
