#include "rl/data/pairs.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/formats/files.h"
#include "rl/formats/json.h"

namespace hone::rl {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kFileLimit = std::uint64_t{4} << 30;
constexpr double kTooLongShare = 0.05;

[[noreturn]] void bad_row(std::int64_t line, const std::string& field, const std::string& what) {
  throw Error(Code::Invalid,
              "line " + std::to_string(line) + ": " + (field.empty() ? "" : field + " ") + what,
              field, line);
}

const Json& member(const Json& row, const char* name, std::int64_t line) {
  const auto found = row.find(name);
  if (found == row.end() || found->is_null()) bad_row(line, name, "is missing");
  return *found;
}

std::vector<Message> messages_of(const Json& list, const std::string& field, std::int64_t line) {
  if (!list.is_array() || list.empty()) bad_row(line, field, "must be a list of messages");
  std::vector<Message> out;
  for (const auto& m : list) {
    if (!m.is_object() || !m.contains("role") || !m.contains("content") || !m["role"].is_string() ||
        !m["content"].is_string())
      bad_row(line, field, "must hold messages of the form {\"role\", \"content\"}, both texts");
    out.push_back({m["role"].get<std::string>(), m["content"].get<std::string>()});
  }
  return out;
}

Prompt prompt_of(const Json& value, std::int64_t line) {
  if (value.is_string()) return value.get<std::string>();
  return messages_of(value, "prompt", line);
}

/// A response as text: itself, or the one assistant message of a list.
std::string response_of(const Json& value, const std::string& field, std::int64_t line) {
  std::string text;
  if (value.is_string()) {
    text = value.get<std::string>();
  } else {
    const auto messages = messages_of(value, field, line);
    if (messages.size() != 1 || messages[0].role != "assistant")
      bad_row(line, field, "must be one message of the assistant");
    text = messages[0].content;
  }
  if (text.empty()) bad_row(line, field, "is empty: there is nothing to learn from");
  return text;
}

/// One row with its sides in order, before tokens.
struct Row {
  Prompt prompt;
  std::string chosen, rejected;
  bool tie = false, held_out = false, several_turns = false;
};

/// Transcripts hold a few answers that go on over further turns; training on a part of one would
/// score what nobody judged.
bool has_several_turns(const Json& response) { return response.is_array() && response.size() > 1; }

Row snapshot_row(const Json& row, std::int64_t line) {
  Row out;
  out.prompt = prompt_of(member(row, "prompt", line), line);
  const auto& responses = member(row, "responses", line);
  if (!responses.is_array() || responses.size() != 2)
    bad_row(line, "responses", "must be a list of two");
  std::string texts[2];
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string field = "responses/" + std::to_string(i);
    if (!responses[i].is_object()) bad_row(line, field, "must be an object");
    const auto& messages = member(responses[i], "messages", line);
    if (has_several_turns(messages))
      out.several_turns = true;
    else
      texts[i] = response_of(messages, field, line);
  }
  const auto& p = member(row, "p", line);
  if (!p.is_number() || !(p.get<double>() >= 0 && p.get<double>() <= 1))
    bad_row(line, "p", "must be a number from 0 to 1");
  out.tie = p.get<double>() == 0.5;
  const bool first = p.get<double>() > 0.5;
  out.chosen = texts[first ? 0 : 1];
  out.rejected = texts[first ? 1 : 0];
  return out;
}

Row trl_row(const Json& row, std::int64_t line) {
  Row out;
  out.prompt = prompt_of(member(row, "prompt", line), line);
  const auto& chosen = member(row, "chosen", line);
  const auto& rejected = member(row, "rejected", line);
  out.several_turns = has_several_turns(chosen) || has_several_turns(rejected);
  if (out.several_turns) return out;
  out.chosen = response_of(chosen, "chosen", line);
  out.rejected = response_of(rejected, "rejected", line);
  return out;
}

bool is_held_out(const Json& row, std::int64_t line) {
  const auto split = row.find("split");
  if (split == row.end() || split->is_null()) return false;
  if (*split == "train") return false;
  if (*split == "held_out") return true;
  bad_row(line, "split", "must be \"train\" or \"held_out\"");
}

}  // namespace

PairData read_pairs(const std::filesystem::path& path, const TextRules& rules,
                    std::int64_t max_tokens) {
  const std::string text = read_file(path, kFileLimit);
  PairData data;
  data.sha256 = sha256_of(text);
  std::int64_t line = 0, rows = 0;
  bool snapshot = false;
  for (std::size_t from = 0; from < text.size();) {
    auto end = text.find('\n', from);
    if (end == std::string::npos) end = text.size();
    const std::string_view row_text(text.data() + from, end - from);
    from = end + 1;
    ++line;
    if (row_text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    Json json;
    try {
      json = parse_json(row_text, "the row");
    } catch (const Error& e) {
      bad_row(line, "", e.detail());
    }
    if (!json.is_object()) bad_row(line, "", "a row must be a JSON object");
    if (rows++ == 0) snapshot = json.contains("responses");
    Row row = snapshot ? snapshot_row(json, line) : trl_row(json, line);
    row.held_out = is_held_out(json, line);
    if (row.tie) {
      ++data.ties;
      continue;
    }
    if (row.several_turns) {
      ++data.several_turns;
      continue;
    }
    Pair pair;
    pair.line = line;
    try {
      pair.prompt = prompt_ids(rules, row.prompt);
      pair.chosen = response_ids(rules, row.prompt, row.chosen);
      pair.rejected = response_ids(rules, row.prompt, row.rejected);
    } catch (const Error& e) {
      bad_row(line, e.pointer(), e.detail());
    }
    if (pair.prompt.empty()) bad_row(line, "prompt", "has no tokens");
    if (pair.chosen.empty() || pair.rejected.empty())
      bad_row(line, pair.chosen.empty() ? "chosen" : "rejected", "has no tokens");
    const auto longest = pair.prompt.size() + std::max(pair.chosen.size(), pair.rejected.size());
    if (static_cast<std::int64_t>(longest) > max_tokens) {
      ++data.too_long;
      continue;
    }
    for (const auto* response : {&row.chosen, &row.rejected})
      data.boundary_merges += merges_at_boundary(rules, row.prompt, *response, pair.prompt);
    (row.held_out ? data.held_out : data.train).push_back(std::move(pair));
  }
  if (rows == 0) throw Error(Code::Invalid, "the data file holds no rows", "data");
  if (static_cast<double>(data.too_long) > kTooLongShare * static_cast<double>(rows))
    throw Error(Code::Invalid,
                std::to_string(data.too_long) + " of " + std::to_string(rows) +
                    " rows are longer than max_tokens = " + std::to_string(max_tokens) +
                    ", more than 5 %: raise max_tokens, or shorten the data",
                "hyperparameters.max_tokens");
  if (data.train.empty())
    throw Error(Code::Invalid,
                "there are no pairs to train on: of " + std::to_string(rows) + " rows, " +
                    std::to_string(data.ties) + " are ties, " + std::to_string(data.too_long) +
                    " are too long, " + std::to_string(data.several_turns) +
                    " hold answers of several turns and " + std::to_string(data.held_out.size()) +
                    " are held out",
                "data");
  return data;
}

}  // namespace hone::rl
