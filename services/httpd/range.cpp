#include "services/httpd/range.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace hone::httpd {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Range parse_range(std::string_view header, std::uint64_t size) {
  const Range whole{Range::Kind::Whole, 0, size};
  if (!header.starts_with("bytes=")) return whole;
  const auto spec = header.substr(6);
  const auto dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return whole;
  const auto first_text = spec.substr(0, dash), last_text = spec.substr(dash + 1);

  if (first_text.empty()) {  // the last N bytes
    const auto count = number(last_text);
    if (!count) return whole;
    if (*count == 0 || size == 0) return {Range::Kind::Unsatisfiable};
    const auto taken = std::min(*count, size);
    return {Range::Kind::Part, size - taken, taken};
  }
  const auto first = number(first_text);
  const auto last =
      last_text.empty() ? std::optional<std::uint64_t>(UINT64_MAX) : number(last_text);
  if (!first || !last || *last < *first) return whole;
  if (*first >= size) return {Range::Kind::Unsatisfiable};
  return {Range::Kind::Part, *first, std::min(*last, size - 1) - *first + 1};
}

}  // namespace hone::httpd
