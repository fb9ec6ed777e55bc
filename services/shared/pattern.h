// PCRE2 with a bound on its work: patterns come from engineers, texts from anywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hone::shared {

/// A compiled pattern over UTF-8 text; text that is not UTF-8 is refused as Invalid.
class Pattern {
 public:
  enum class Kind { Regex, Literal };
  enum class Place { Anywhere, Start, End };
  enum class Case { Exact, Ignored };

  /// Throws Invalid with PCRE2's own message and the offset when it does not compile.
  Pattern(std::string_view source, Kind kind, Place place, Case letters);

  /// Whether the text holds a match. Throws Invalid when the bounded work does not suffice.
  bool found_in(std::string_view text) const;
  /// Number of matches, from left to right and not overlapping. For patterns that never match the
  /// empty text.
  std::int64_t count_in(std::string_view text) const;

 private:
  struct FreeCode {
    void operator()(void* code) const;
  };
  std::unique_ptr<void, FreeCode> code_;
};

}  // namespace hone::shared
