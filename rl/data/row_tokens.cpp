#include "rl/data/row_tokens.h"

#include <algorithm>
#include <string_view>

#include "feedback/base/error.h"
#include "rl/formats/files.h"

namespace hone::rl {
namespace {

bool ends_text(const TextRules& rules, std::int64_t id) {
  return std::find(rules.end_ids.begin(), rules.end_ids.end(), id) != rules.end_ids.end();
}

std::string hash_of(const Ids& ids) {
  return sha256_of(
      std::string_view(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof ids[0]));
}

}  // namespace

void check_ids(const TextRules& rules, const Ids& ids, std::int64_t line,
               const std::string& field) {
  for (const auto id : ids)
    if (id < 0 || (rules.vocab_size > 0 && id >= rules.vocab_size))
      bad_row(line, field,
              "gives token " + std::to_string(id) + ", outside the model's vocabulary of " +
                  std::to_string(rules.vocab_size));
  if (rules.bos_id && ids.size() > 1 && ids[0] == *rules.bos_id && ids[1] == *rules.bos_id)
    bad_row(line, field,
            "begins with two " + rules.tokenizer->token(*rules.bos_id) +
                " tokens: the tokenizer or the template writes one, so the text must not");
}

Ids row_prompt(const TextRules& rules, const Prompt& prompt, std::int64_t line,
               const std::string& field) {
  Ids ids;
  try {
    ids = prompt_ids(rules, prompt);
  } catch (const Error& e) {
    bad_row(line, e.pointer(), e.detail());
  }
  if (ids.empty()) bad_row(line, field, "has no tokens");
  check_ids(rules, ids, line, field);
  return ids;
}

Ids row_response(const TextRules& rules, const Prompt& prompt, const std::string& response,
                 std::int64_t line, const std::string& field) {
  Ids ids;
  try {
    ids = response_ids(rules, prompt, response);
  } catch (const Error& e) {
    bad_row(line, e.pointer(), e.detail());
  }
  if (ids.empty()) bad_row(line, field, "has no tokens");
  check_ids(rules, ids, line, field);
  if (std::holds_alternative<std::string>(prompt)) return ids;
  for (std::size_t i = 0; i + 1 < ids.size(); ++i)
    if (ends_text(rules, ids[i]))
      bad_row(line, field,
              "holds the end token " + rules.tokenizer->token(ids[i]) +
                  " before its end: nothing after it would ever be sampled");
  return ids;
}

void Repeats::add(std::int64_t line, bool held_out, const Ids& prompt,
                  const std::vector<const Ids*>& rest, const std::string& label) {
  const auto key = hash_of(prompt);
  prompts_[held_out].insert(key);
  if (held_out) held_out_rows_.push_back({key, line});
  std::string whole = (held_out ? "held_out " : "train ") + label + key;
  for (const auto* ids : rest) whole += hash_of(*ids);
  if (!rows_.insert(sha256_of(whole)).second) ++duplicates_;
}

bool Repeats::is_new_prompt(bool held_out, const Ids& prompt) const {
  return !prompts_[held_out].contains(hash_of(prompt));
}

std::int64_t Repeats::leaked_prompts() const {
  return std::count_if(held_out_rows_.begin(), held_out_rows_.end(),
                       [&](const Row& row) { return prompts_[0].contains(row.prompt); });
}

std::int64_t Repeats::leaked_line() const {
  for (const auto& row : held_out_rows_)
    if (prompts_[0].contains(row.prompt)) return row.line;
  return 0;
}

}  // namespace hone::rl
