// Cutting text by a pattern: the GPT-2 pattern by hand, any other with PCRE2 under limits.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hone::rl {

/// A run of bytes of a text.
struct Span {
  std::size_t begin;
  std::size_t end;
};

/// GPT-2's pattern, which ByteLevel uses:
/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
extern const std::string_view kGpt2Pattern;

/// The text cut by kGpt2Pattern; it matches everywhere, so the spans cover the text.
void split_gpt2(std::string_view text, std::vector<Span>& spans);

/// A compiled pattern. Const calls are safe from several threads.
class Pattern {
 public:
  /// Invalid when it does not compile, or uses a construct that pattern engines read differently.
  explicit Pattern(const std::string& source);
  ~Pattern();
  Pattern(Pattern&&) noexcept;

  /// All matches, left to right; empty matches are passed over. Invalid when the text drives the
  /// pattern past its limits.
  std::vector<Span> matches(std::string_view text) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace hone::rl
