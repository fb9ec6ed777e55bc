// PCRE2 with a bound on its work, for verifiers: patterns come from engineers, texts from a model
// that learns what makes them fail.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hone::rl {

/// A compiled pattern over UTF-8 text. Immutable; safe from several threads.
class Regex {
 public:
  enum class Case { Exact, Ignored };
  enum class Outcome { Found, NotFound, Failed };  ///< Failed: out of bounds, or no UTF-8

  /// Throws Invalid with PCRE2's own message and the offset when it does not compile.
  explicit Regex(std::string_view source, Case letters = Case::Exact);

  Outcome find(std::string_view text) const;
  /// What the first group holds in the last match, from left to right and not overlapping. Matches
  /// without that group count for nothing.
  Outcome find_last(std::string_view text, std::string& group) const;
  std::uint32_t groups() const;

 private:
  struct FreeCode {
    void operator()(void* code) const;
  };
  std::shared_ptr<void> code_;  // shared: a copy searches with the same pattern
};

}  // namespace hone::rl
