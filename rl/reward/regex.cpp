#include "rl/reward/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <new>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

// Enough for any pattern that reads a text a few times, and about a tenth of a second at the worst.
constexpr std::uint32_t kMatchLimit = 2'000'000;
constexpr std::uint32_t kDepthLimit = 20'000;
constexpr std::uint32_t kHeapLimitKib = 32 * 1024;
constexpr int kMatchesMax = 10'000;  // in one text

pcre2_match_context* bounded_match() {
  static pcre2_match_context* const context = [] {
    auto* made = pcre2_match_context_create(nullptr);
    if (!made) throw std::bad_alloc();
    pcre2_set_match_limit(made, kMatchLimit);
    pcre2_set_depth_limit(made, kDepthLimit);
    pcre2_set_heap_limit(made, kHeapLimitKib);
    return made;
  }();
  return context;
}

using MatchData = std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>;

MatchData match_data(const pcre2_code* code) {
  MatchData out(pcre2_match_data_create_from_pattern(code, nullptr), &pcre2_match_data_free);
  if (!out) throw std::bad_alloc();
  return out;
}

Regex::Outcome match(const pcre2_code* code, std::string_view text, std::size_t from,
                     std::uint32_t options, pcre2_match_data* data) {
  const int found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                options, data, bounded_match());
  if (found == PCRE2_ERROR_NOMATCH) return Regex::Outcome::NotFound;
  return found < 0 ? Regex::Outcome::Failed : Regex::Outcome::Found;
}

}  // namespace

void Regex::FreeCode::operator()(void* code) const {
  pcre2_code_free(static_cast<pcre2_code*>(code));
}

Regex::Regex(std::string_view source, Case letters) {
  // \C could end a match in the middle of a character.
  std::uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
  if (letters == Case::Ignored) options |= PCRE2_CASELESS;
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.data()), source.size(), options,
                             &error, &offset, nullptr);
  if (!code) {
    PCRE2_UCHAR text[256];
    pcre2_get_error_message(error, text, sizeof text);
    throw Error(Code::Invalid, "the pattern does not compile: " +
                                   std::string(reinterpret_cast<const char*>(text)) +
                                   " (at offset " + std::to_string(offset) + ")");
  }
  code_ = std::shared_ptr<void>(code, FreeCode{});
}

std::uint32_t Regex::groups() const {
  std::uint32_t count = 0;
  pcre2_pattern_info(static_cast<const pcre2_code*>(code_.get()), PCRE2_INFO_CAPTURECOUNT, &count);
  return count;
}

Regex::Outcome Regex::find(std::string_view text) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  return match(code, text, 0, 0, match_data(code).get());
}

Regex::Outcome Regex::find_last(std::string_view text, std::string& group) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const auto data = match_data(code);
  auto out = Outcome::NotFound;
  std::size_t from = 0;
  std::uint32_t options = 0;
  for (int count = 0; from <= text.size(); ++count) {
    const auto found = match(code, text, from, options, data.get());
    if (found == Outcome::NotFound) return out;
    if (found == Outcome::Failed || count == kMatchesMax) return Outcome::Failed;
    options = PCRE2_NO_UTF_CHECK;  // the first search has checked the whole text
    const auto* at = pcre2_get_ovector_pointer(data.get());
    if (pcre2_get_ovector_count(data.get()) > 1 && at[2] != PCRE2_UNSET) {
      group = text.substr(at[2], at[3] - at[2]);
      out = Outcome::Found;
    }
    // \K may put a match's end before where the search began.
    const auto end = std::max<std::size_t>(at[1], from);
    from = end;
    if (at[1] <= at[0]) {  // empty: on by one character
      ++from;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) ++from;
    }
  }
  return out;
}

}  // namespace hone::rl
