#include "services/worker/lines.h"

namespace hone::worker {

void Lines::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto piece = bytes.substr(0, end);
    if (partial_.size() + piece.size() > max_bytes_) {
      too_long_ = true;
      partial_.clear();
    } else if (!too_long_) {
      partial_.append(piece);
    }
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    end_line();
  }
}

void Lines::end_line() {
  if (too_long_)
    ++dropped_;
  else if (!partial_.empty())
    line_(partial_);
  too_long_ = false;
  partial_.clear();
}

}  // namespace hone::worker
