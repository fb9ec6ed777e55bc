#include "rl/tokenizer/split.h"

#include <cstdint>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include "feedback/base/error.h"
#include "rl/tokenizer/unicode.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl {

const std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

enum class Class { Letter, Number, Space, Other };

Class class_of(char32_t value) {
  const auto bits = unicode_class(value);
  if (bits & kLetter) return Class::Letter;
  if (bits & kNumber) return Class::Number;
  if (bits & kSpace) return Class::Space;
  return Class::Other;
}

// The suffix of a contraction after the apostrophe at `at`, in bytes with it; 0 for none.
std::size_t contraction(std::string_view text, std::size_t at) {
  const auto rest = text.substr(at + 1, 2);
  if (rest.empty()) return 0;
  if (rest[0] == 's' || rest[0] == 't' || rest[0] == 'm' || rest[0] == 'd') return 2;
  if (rest == "re" || rest == "ve" || rest == "ll") return 3;
  return 0;
}

// Where the run of one class that begins at `at` ends.
std::size_t run_end(std::string_view text, std::size_t at, Class kind) {
  while (at < text.size()) {
    const auto [value, size] = code_point_at(text, at);
    if (class_of(value) != kind) break;
    at += size;
  }
  return at;
}

// \s+(?!\S)|\s+ : all of it at the end of the text; otherwise all but the last character, which the
// next match may take in front of its word; a single one alone.
std::size_t space_end(std::string_view text, std::size_t at) {
  std::size_t last = at;
  std::size_t end = at;
  while (end < text.size()) {
    const auto [value, size] = code_point_at(text, end);
    if (class_of(value) != Class::Space) return last > at ? last : end;
    last = end;
    end += size;
  }
  return end;
}

std::size_t match_end(std::string_view text, std::size_t at) {
  if (text[at] == '\'') {
    if (const auto size = contraction(text, at)) return at + size;
  }
  const auto first = code_point_at(text, at);
  auto kind = class_of(first.value);
  if (kind != Class::Space) return run_end(text, at, kind);
  if (text[at] == ' ' && at + 1 < text.size()) {  // " ?" in front of a run
    kind = class_of(code_point_at(text, at + 1).value);
    if (kind != Class::Space) return run_end(text, at + 1, kind);
  }
  return space_end(text, at);
}

// What engines disagree on, or what has no place in a splitting pattern.
constexpr std::string_view kRefused[] = {"(*",  "(?C", "(?R", "(?&", "(?P", "(?1", "(?+", "(?|",
                                         "\\K", "\\G", "\\g", "\\k", "\\X", "\\C", "\\1"};

constexpr std::uint32_t kMatchLimit = 10'000'000;
constexpr std::uint32_t kHeapLimitKiB = 64 * 1024;

// Compiled patterns are shared by threads, their machine stacks are not.
pcre2_jit_stack* jit_stack_of_thread(void*) {
  thread_local const std::unique_ptr<pcre2_jit_stack, decltype(&pcre2_jit_stack_free)> stack(
      pcre2_jit_stack_create(32 * 1024, 8 * 1024 * 1024, nullptr), pcre2_jit_stack_free);
  return stack.get();
}

}  // namespace

void split_gpt2(std::string_view text, std::vector<Span>& spans) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end = match_end(text, at);
    spans.push_back({at, end});
    at = end;
  }
}

struct Pattern::Compiled {
  ~Compiled() {
    pcre2_match_context_free(limits);
    pcre2_code_free(code);
  }
  std::string source;
  pcre2_code* code = nullptr;
  pcre2_match_context* limits = nullptr;
};

Pattern::Pattern(const std::string& source) : compiled_(std::make_unique<Compiled>()) {
  for (const auto construct : kRefused)
    if (source.find(construct) != std::string::npos)
      throw Error(Code::Invalid,
                  fmt::format("tokenizer.json: pattern {}: {} is not supported", source, construct),
                  "pattern");
  int error = 0;
  std::size_t offset = 0;
  compiled_->source = source;
  compiled_->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.data()), source.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
  if (compiled_->code == nullptr) {
    PCRE2_UCHAR text[256];
    pcre2_get_error_message(error, text, sizeof text);
    throw Error(Code::Invalid,
                fmt::format("tokenizer.json: pattern {}: {} at {}", source,
                            reinterpret_cast<const char*>(text), offset),
                "pattern");
  }
  pcre2_jit_compile(compiled_->code,
                    PCRE2_JIT_COMPLETE);  // where there is no JIT the interpreter does it
  compiled_->limits = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(compiled_->limits, kMatchLimit);
  pcre2_set_heap_limit(compiled_->limits, kHeapLimitKiB);
  pcre2_jit_stack_assign(compiled_->limits, jit_stack_of_thread, nullptr);
}

Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;

std::vector<Span> Pattern::matches(std::string_view text) const {
  // PCRE2 counts U+180E as white space and the engine behind `tokenizers` does not. U+200B is in
  // all other classes the same (a format character), as long, and white space to neither.
  std::string replaced;
  constexpr std::string_view kVowelSeparator = "\xE1\xA0\x8E";
  if (text.find(kVowelSeparator) != std::string_view::npos) {
    replaced = text;
    for (std::size_t at = 0; (at = replaced.find(kVowelSeparator, at)) != std::string::npos;)
      replaced.replace(at, 3, "\xE2\x80\x8B");
    text = replaced;
  }

  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create_from_pattern(compiled_->code, nullptr), pcre2_match_data_free);
  std::vector<Span> spans;
  std::size_t at = 0;
  while (at < text.size()) {
    const int found =
        pcre2_match(compiled_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                    PCRE2_NO_UTF_CHECK, data.get(), compiled_->limits);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0)
      throw Error(Code::Invalid,
                  fmt::format("the tokenizer's pattern {} ran past its limits on this text ({})",
                              compiled_->source, found));
    const auto* ends = pcre2_get_ovector_pointer(data.get());
    if (ends[1] > ends[0]) spans.push_back({ends[0], ends[1]});
    at = ends[1] > at ? ends[1] : at + code_point_at(text, at).size;
  }
  return spans;
}

}  // namespace hone::rl
