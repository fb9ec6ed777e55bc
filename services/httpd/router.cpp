#include "services/httpd/router.h"

#include <algorithm>
#include <cassert>
#include <optional>

namespace hone::httpd {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  for (std::size_t begin = 1; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    segments.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

bool is_param(const std::string& segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}
bool is_tail(const std::string& segment) { return is_param(segment) && segment.ends_with("...}"); }

// Whether the pattern's shape takes the path, and how many of its literals it used: the row with
// the most wins.
std::optional<int> match(const std::vector<std::string>& pattern,
                         const std::vector<std::string>& path) {
  int literals = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (is_tail(pattern[i]))
      return i < path.size() && !path[i].empty() ? std::optional(literals) : std::nullopt;
    if (i >= path.size()) return std::nullopt;
    if (is_param(pattern[i])) {
      if (path[i].empty()) return std::nullopt;
    } else {
      if (pattern[i] != path[i]) return std::nullopt;
      ++literals;
    }
  }
  return pattern.size() == path.size() ? std::optional(literals) : std::nullopt;
}

bool same_shape(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (is_param(a[i]) != is_param(b[i])) return false;
    if (!is_param(a[i]) && a[i] != b[i]) return false;
  }
  return true;
}

}  // namespace

void Router::add(Method method, std::string_view pattern, std::size_t row) {
  auto segments = split(pattern);
  for ([[maybe_unused]] const auto& other : rows_)
    assert(!(other.method == method && same_shape(other.segments, segments)) &&
           "two rows for one route");
  rows_.push_back({method, std::move(segments), row});
}

Router::Match Router::find(Method method, std::string_view path) const {
  const auto wanted = method == Method::Head ? Method::Get : method;
  const auto segments = split(path);
  const Row* best = nullptr;
  int best_literals = -1;
  Match out;
  for (const auto& row : rows_) {
    const auto literals = match(row.segments, segments);
    if (!literals) continue;
    const auto name = to_string(row.method);
    if (out.allow.find(name) == std::string::npos)
      out.allow += (out.allow.empty() ? "" : ", ") + std::string(name);
    if (row.method == wanted && *literals > best_literals) {
      best = &row;
      best_literals = *literals;
    }
  }
  if (!best) {
    out.kind = out.allow.empty() ? Match::Kind::NoSuchPath : Match::Kind::NoSuchMethod;
    return out;
  }
  out.kind = Match::Kind::Found;
  out.row = best->row;
  for (std::size_t i = 0; i < best->segments.size(); ++i) {
    const auto& pattern = best->segments[i];
    if (!is_param(pattern)) continue;
    if (is_tail(pattern)) {
      std::string tail = segments[i];
      for (std::size_t k = i + 1; k < segments.size(); ++k) tail += "/" + segments[k];
      out.params.emplace_back(pattern.substr(1, pattern.size() - 5), tail);
    } else {
      out.params.emplace_back(pattern.substr(1, pattern.size() - 2), segments[i]);
    }
  }
  return out;
}

}  // namespace hone::httpd
