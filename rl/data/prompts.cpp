#include "rl/data/prompts.h"

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/data/row_tokens.h"
#include "rl/formats/files.h"

namespace hone::rl {
namespace {

constexpr std::uint64_t kFileLimit = std::uint64_t{4} << 30;

enum class Kind { Pairs, Prompt, Messages, Question };

Kind kind_of(const RowFields& row) {
  if (row.has("responses") || row.has("chosen")) return Kind::Pairs;
  if (row.has("prompt")) return Kind::Prompt;
  if (row.has("messages")) return Kind::Messages;
  if (row.has("question")) return Kind::Question;
  row.refuse("prompt", "is missing: want \"prompt\", \"messages\" or \"question\"");
}

const char* field_of(Kind kind) {
  return kind == Kind::Messages ? "messages" : kind == Kind::Question ? "question" : "prompt";
}

Prompt source_of(const RowFields& row, Kind kind, const TextRules& rules) {
  const std::string field = field_of(kind);
  Prompt out;
  if (kind == Kind::Question) {
    const auto question = row.text(field);
    if (question.empty()) row.refuse(field, "is empty: there is nothing to answer");
    if (rules.chat)
      out = std::vector<Message>{{"user", question}};
    else
      out = question;
  } else if (kind == Kind::Messages) {
    out = messages_of(row, field);
  } else {
    out = prompt_of(row, field);
  }
  if (const auto* text = std::get_if<std::string>(&out)) {
    if (text->empty()) row.refuse(field, "is empty: there is nothing to answer");
  } else if (std::get<std::vector<Message>>(out).back().role == "assistant") {
    row.refuse(field, "ends with the assistant's own message: there is nothing to answer");
  }
  return out;
}

/// A text, or a number as it is written.
std::string word_of(const RowFields& row, const std::string& field) {
  if (!row.has(field)) return "";
  const auto& value = row.at(field);
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number()) return value.dump();
  row.refuse(field, "must be a text or a number");
}

}  // namespace

PromptData read_prompt_rows(const std::filesystem::path& path, const TextRules& rules,
                            const ReadOptions& options) {
  const std::string text = read_file(path, kFileLimit);
  PromptData data;
  data.sha256 = sha256_of(text);
  Repeats repeats;
  std::optional<Kind> kind;
  const auto rows = for_each_row(text, [&](const nlohmann::json& json, std::int64_t line) {
    const RowFields row(json, line);
    if (!kind) kind = kind_of(row);
    const bool pairs = *kind == Kind::Pairs;
    PromptRow out;
    out.line = line;
    out.held_out = is_held_out(row);
    out.source = source_of(row, *kind, rules);
    out.answer = word_of(row, "answer");
    out.id = word_of(row, pairs && !row.has("id") ? "comparison" : "id");
    if (out.id.empty()) out.id = std::to_string(line);
    out.slice = slice_of(row);
    out.prompt = row_prompt(rules, out.source, line, field_of(*kind));
    if (static_cast<std::int64_t>(out.prompt.size()) >= options.max_tokens) {
      ++data.too_long;
      return;
    }
    if (pairs && !repeats.is_new_prompt(out.held_out, out.prompt)) {
      ++data.repeated;
      return;
    }
    repeats.add(line, out.held_out, out.prompt, {}, out.answer + "\n");
    (out.held_out ? data.held_out : data.train).push_back(std::move(out));
  });
  data.duplicates = repeats.duplicates();
  data.leaked_prompts = repeats.leaked_prompts();
  data.leaked_line = repeats.leaked_line();
  refuse_many_too_long(data.too_long, rows, options.max_tokens);
  if (data.train.empty())
    throw Error(Code::Invalid,
                "there are no prompts to train on: of " + std::to_string(rows) + " rows, " +
                    std::to_string(data.too_long) + " are too long and " +
                    std::to_string(data.held_out.size()) + " are held out",
                "data");
  return data;
}

}  // namespace hone::rl
