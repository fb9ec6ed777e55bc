#include "services/shared/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cassert>
#include <new>
#include <optional>

#include "feedback/base/error.h"
#include "services/shared/utf8.h"

namespace hone::shared {
namespace {

// Enough for any pattern that reads a text a few times, and about a tenth of a second at the worst.
constexpr std::uint32_t kMatchLimit = 2'000'000;
constexpr std::uint32_t kDepthLimit = 20'000;
constexpr std::uint32_t kHeapLimitKib = 32 * 1024;

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

std::string message_of(int error) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

/// One text under one pattern; it is checked to be UTF-8 once.
class Matcher {
 public:
  Matcher(const void* code, std::string_view text)
      : code_(static_cast<const pcre2_code*>(code)),
        text_(text),
        data_(pcre2_match_data_create_from_pattern(code_, nullptr), &pcre2_match_data_free) {
    if (!data_) throw std::bad_alloc();
    if (find_bad_utf8(text) != std::string_view::npos)
      throw Error(Code::Invalid, "the text is not UTF-8");
  }

  /// Where the first match at or after `from` ends.
  std::optional<std::size_t> find_end(std::size_t from) const {
    const int found = pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(),
                                  from, PCRE2_NO_UTF_CHECK, data_.get(), bounded_match());
    if (found == PCRE2_ERROR_NOMATCH) return std::nullopt;
    if (found < 0)
      throw Error(Code::Invalid, "the pattern needs more work on a text than is allowed (" +
                                     message_of(found) + "): make it simpler");
    return pcre2_get_ovector_pointer(data_.get())[1];
  }

 private:
  const pcre2_code* code_;
  std::string_view text_;
  std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data_;
};

}  // namespace

void Pattern::FreeCode::operator()(void* code) const {
  pcre2_code_free(static_cast<pcre2_code*>(code));
}

Pattern::Pattern(std::string_view source, Kind kind, Place place, Case letters) {
  std::uint32_t options = PCRE2_UTF;
  // \C could end a match in the middle of a character.
  options |= kind == Kind::Literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
  if (place == Place::Start) options |= PCRE2_ANCHORED;
  if (place == Place::End) options |= PCRE2_ENDANCHORED;
  if (letters == Case::Ignored) options |= PCRE2_CASELESS;

  int error = 0;
  PCRE2_SIZE offset = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.data()), source.size(), options,
                            &error, &offset, nullptr));
  if (!code_)
    throw Error(Code::Invalid, "the pattern does not compile: " + message_of(error) +
                                   " (at offset " + std::to_string(offset) + ")");
}

std::int64_t Pattern::count_in(std::string_view text) const {
  const Matcher matcher(code_.get(), text);
  std::int64_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    const auto end = matcher.find_end(at);
    if (!end) break;
    assert(*end > at);
    at = *end;
  }
  return count;
}

bool Pattern::found_in(std::string_view text) const {
  return Matcher(code_.get(), text).find_end(0).has_value();
}

}  // namespace hone::shared
