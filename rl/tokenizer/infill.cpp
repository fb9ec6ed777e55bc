#include "rl/tokenizer/infill.h"

#include <algorithm>
#include <array>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

struct Form {
  const char *prefix, *suffix, *middle, *end;
  bool marks_join;
};

constexpr std::array kForms = {
    Form{"\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>", "\u2581<EOT>", true},
    Form{"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>", false},
    Form{"<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|endoftext|>", false},
};

// Code Llama's reference encodes this mark and the text, and drops the mark: what is left begins
// without the space that the tokenizer puts before any text.
constexpr std::string_view kMark = "\u263A";

std::vector<std::int64_t> behind_a_mark(const Tokenizer& tokenizer, const InfillTokens& tokens,
                                        std::string_view text) {
  if (!tokens.marks_join) return tokenizer.encode(text, false);
  const auto mark = tokenizer.encode(kMark, false);
  auto ids = tokenizer.encode(std::string(kMark) + std::string(text), false);
  if (ids.size() < mark.size() || !std::equal(mark.begin(), mark.end(), ids.begin()))
    throw Error(Code::Invalid, "this tokenizer joins a mark with the text behind it", "suffix");
  ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(mark.size()));
  return ids;
}

}  // namespace

std::optional<InfillTokens> find_infill_tokens(const Tokenizer& tokenizer) {
  for (const auto& form : kForms) {
    const auto prefix = tokenizer.id_of(form.prefix), suffix = tokenizer.id_of(form.suffix),
               middle = tokenizer.id_of(form.middle), end = tokenizer.id_of(form.end);
    if (prefix && suffix && middle && end)
      return InfillTokens{*prefix, *suffix, *middle, *end, form.marks_join};
  }
  return std::nullopt;
}

InfillTokens infill_tokens(const Tokenizer& tokenizer) {
  if (const auto found = find_infill_tokens(tokenizer)) return *found;
  std::string names;
  for (const auto& form : kForms) names += (names.empty() ? "" : ", ") + std::string(form.prefix);
  throw Error(Code::Invalid,
              "this base was not trained to fill in a middle: its tokenizer has none of " + names +
                  " with their suffix, middle and end",
              "prefix");
}

std::vector<std::int64_t> infill_prompt(const Tokenizer& tokenizer, const InfillTokens& tokens,
                                        std::string_view prefix, std::string_view suffix) {
  auto ids = tokenizer.encode("", true);
  const auto add = [&](std::int64_t mark, const std::vector<std::int64_t>& text) {
    ids.push_back(mark);
    ids.insert(ids.end(), text.begin(), text.end());
  };
  add(tokens.prefix, tokenizer.encode(prefix, false));
  add(tokens.suffix, behind_a_mark(tokenizer, tokens, suffix));
  ids.push_back(tokens.middle);
  return ids;
}

std::vector<std::int64_t> infill_middle(const Tokenizer& tokenizer, const InfillTokens& tokens,
                                        std::string_view middle) {
  auto ids = behind_a_mark(tokenizer, tokens, middle);
  ids.push_back(tokens.end);
  return ids;
}

std::string infill_text(const Tokenizer& tokenizer, const InfillTokens& tokens,
                        std::span<const std::int64_t> ids) {
  std::vector<std::int64_t> kept(ids.begin(), ids.end());
  if (!kept.empty() && kept.back() == tokens.end) kept.pop_back();
  if (!tokens.marks_join) return tokenizer.decode(kept, true);
  auto marked = tokenizer.encode(kMark, false);
  const auto before = tokenizer.decode(marked, true).size();
  marked.insert(marked.end(), kept.begin(), kept.end());
  return tokenizer.decode(marked, true).substr(before);
}

}  // namespace hone::rl
