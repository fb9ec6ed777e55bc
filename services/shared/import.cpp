#include "services/shared/import.h"

#include <algorithm>
#include <functional>
#include <istream>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/shared/import_pairs.h"
#include "services/shared/json.h"
#include "services/shared/utf8.h"

namespace hone::shared {
namespace {

using nlohmann::json;

constexpr std::size_t kLineBytesMax = 4 << 20;
constexpr std::size_t kTextBytesMax = 256 * 1024;
constexpr std::size_t kAnswerBytesMax = 16 * 1024;  // the schema's
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

[[noreturn]] void refuse(const std::string& detail, const std::string& pointer, std::int64_t line) {
  throw Error(Code::Invalid, detail, pointer, line);
}

/// What the keys of a file's first row say.
ImportFormat format_of(const json& row, std::int64_t line) {
  if (!row.is_object()) refuse("a row is one JSON object", "", line);
  if (row.contains("chosen") && row.contains("rejected")) {
    const bool texts = row["chosen"].is_string() && row["rejected"].is_string();
    return texts && !row.contains("prompt") ? ImportFormat::Hh : ImportFormat::Trl;
  }
  if (row.contains("prompt") || row.contains("messages")) return ImportFormat::Prompts;
  std::string keys;
  for (const auto& [key, value] : row.items())
    keys += (keys.empty() ? "" : ", ") + key.substr(0, 40);
  refuse(
      "the first row is none of the known formats: prompts have \"prompt\" or \"messages\", pairs "
      "have "
      "\"chosen\" and \"rejected\", with \"prompt\" or as whole conversations; this one has: " +
          (keys.empty() ? "nothing" : keys.substr(0, 400)),
      "", line);
}

/// A text is one message, byte for byte; a list is what it says.
Messages text_or_messages(const json& value, const char* role, const std::string& pointer,
                          std::int64_t line) {
  if (!value.is_string()) return parse_messages(value, pointer, line);
  const auto& text = value.get_ref<const std::string&>();
  if (is_blank(text)) refuse("is blank", pointer, line);
  if (text.size() > kTextBytesMax)
    refuse("is longer than " + std::to_string(kTextBytesMax) + " bytes", pointer, line);
  return {{role, text}};
}

void want_last(const Messages& messages, std::string_view role, const std::string& pointer,
               std::int64_t line) {
  if (messages.back().role != role)
    refuse("the last message must be the " + std::string(role) + "'s", pointer, line);
}

void want_answer(const Messages& messages, const std::string& pointer, std::int64_t line) {
  if (messages.front().role != "assistant")
    refuse("an answer begins with the assistant", pointer, line);
  want_last(messages, "assistant", pointer, line);
}

/// As hone-run reads it: a text, or a number as it is written.
std::optional<std::string> parse_answer(Fields& fields) {
  const auto* given = fields.find_value("answer");
  if (!given) return std::nullopt;
  if (given->is_number()) return given->dump();
  auto text = fields.text("answer", {1, kAnswerBytesMax});
  if (is_blank(text)) fields.refuse("answer", "is blank");
  return text;
}

ImportedRow parse_prompt(const json& row, std::int64_t line) {
  Fields fields(row, "", line);
  ImportedRow out;
  const char* key = fields.has("prompt") ? "prompt" : "messages";
  if (fields.has("prompt") && fields.has("messages"))
    refuse("has both \"prompt\" and \"messages\"", "", line);
  out.prompt = text_or_messages(fields.value(key), "user", fields.at(key), line);
  want_last(out.prompt, "user", fields.at(key), line);
  if (const auto* id = fields.find_value("id")) {
    if (id->is_number_integer())
      out.external_id = id->dump();
    else
      out.external_id = fields.text("id", {1, 200});
  }
  out.split = fields.find_word("split", {"train", "held_out"});
  out.answer = parse_answer(fields);
  return out;
}

ImportedRow parse_trl(const json& row, std::int64_t line) {
  Fields fields(row, "", line);
  const json& chosen = fields.value("chosen");
  const json& rejected = fields.value("rejected");
  const json* prompt = fields.find_value("prompt");
  if (chosen.is_string() != rejected.is_string() ||
      (prompt && prompt->is_string() != chosen.is_string()))
    refuse("prompt, chosen and rejected are all texts or all lists of messages", "", line);

  ImportedRow out;
  Pair pair;
  if (prompt) {
    pair = {text_or_messages(*prompt, "user", "/prompt", line),
            text_or_messages(chosen, "assistant", "/chosen", line),
            text_or_messages(rejected, "assistant", "/rejected", line)};
  } else {
    // A common beginning of characters would cut words; of messages it does not.
    if (chosen.is_string())
      refuse("texts need a \"prompt\" beside them, or transcript markers", "/prompt", line);
    pair = split_pair(parse_messages(chosen, "/chosen", line),
                      parse_messages(rejected, "/rejected", line), line);
  }
  want_last(pair.prompt, "user", "/prompt", line);
  want_answer(pair.chosen, "/chosen", line);
  want_answer(pair.rejected, "/rejected", line);
  if (pair.chosen == pair.rejected) refuse("chosen and rejected are the same", "", line);
  out.prompt = std::move(pair.prompt);
  out.responses = {std::move(pair.chosen), std::move(pair.rejected)};
  out.answer = parse_answer(fields);
  return out;
}

ImportedRow parse_hh(const json& row, std::int64_t line) {
  Fields fields(row, "", line);
  Pair pair = split_pair(
      parse_transcript(fields.text("chosen", {1, kTextBytesMax}), "/chosen", line),
      parse_transcript(fields.text("rejected", {1, kTextBytesMax}), "/rejected", line), line);
  want_last(pair.prompt, "user", "", line);
  want_answer(pair.chosen, "/chosen", line);
  want_answer(pair.rejected, "/rejected", line);
  ImportedRow out;
  out.prompt = std::move(pair.prompt);
  out.responses = {std::move(pair.chosen), std::move(pair.rejected)};
  return out;
}

}  // namespace

const char* to_string(ImportFormat format) {
  return format == ImportFormat::Prompts ? "prompts" : format == ImportFormat::Trl ? "trl" : "hh";
}

ImportReader::ImportReader(std::istream& in, std::optional<ImportFormat> format) : in_(in) {
  report_.format = format;
}

// Not std::getline: a line without end must not become memory without end.
bool ImportReader::read_line() {
  line_.clear();
  line_too_long_ = false;
  auto* buffer = in_.rdbuf();
  bool any = false;
  for (;;) {
    const int c = buffer->sbumpc();
    if (c == std::char_traits<char>::eof()) break;
    any = true;
    if (c == '\n') break;
    if (line_.size() < kLineBytesMax)
      line_ += static_cast<char>(c);
    else
      line_too_long_ = true;
  }
  if (!any) return false;
  ++report_.lines;
  if (report_.lines == 1 && line_.starts_with(kByteOrderMark))
    line_.erase(0, kByteOrderMark.size());
  if (line_.ends_with('\r')) line_.pop_back();
  return true;
}

std::optional<ImportedRow> ImportReader::next() {
  while (read_line()) {
    if (is_blank(line_)) continue;
    try {
      ImportedRow row = parse_row();
      row.line = report_.lines;
      claim_id(row);
      ++report_.rows;
      return row;
    } catch (const Error& e) {
      ++report_.refused;
      if (report_.errors.size() < kImportIssuesShown)
        // Both quote the row, cut where they grow long: even within a character.
        report_.errors.push_back(
            {report_.lines, repair_utf8(e.pointer()), repair_utf8(e.detail())});
    }
  }
  return std::nullopt;
}

ImportedRow ImportReader::parse_row() {
  const std::int64_t line = report_.lines;
  if (line_too_long_)
    refuse("the line is longer than " + std::to_string(kLineBytesMax) + " bytes", "", line);
  if (const auto bad = find_bad_utf8(line_); bad != std::string_view::npos)
    refuse("not UTF-8, at byte " + std::to_string(bad) + " of the line", "", line);
  const json row = parse_json(line_, {.string_bytes = kTextBytesMax}, line);

  if (!report_.format) report_.format = format_of(row, line);
  switch (*report_.format) {
    case ImportFormat::Prompts: {
      if (row.is_object() && (row.contains("chosen") || row.contains("rejected")))
        refuse("this row is a pair and the file holds prompts", "", line);
      auto out = parse_prompt(row, line);
      warn_unused(row, {"prompt", "messages", "id", "split", "answer"});
      return out;
    }
    case ImportFormat::Trl: {
      auto out = parse_trl(row, line);
      warn_unused(row, {"prompt", "chosen", "rejected", "answer"});
      return out;
    }
    case ImportFormat::Hh: {
      auto out = parse_hh(row, line);
      warn_unused(row, {"chosen", "rejected"});
      const auto several = std::max(out.responses[0].size(), out.responses[1].size());
      if (several > 1)
        warn(out.responses[0].size() > 1 ? "/chosen" : "/rejected",
             "the answer holds " + std::to_string(several) + " turns");
      return out;
    }
  }
  refuse("unknown format", "", line);
}

void ImportReader::claim_id(const ImportedRow& row) {
  if (!row.external_id) return;
  std::string text;
  for (const auto& message : row.prompt) text += message.role + '\0' + message.content + '\0';
  const std::size_t prompt = std::hash<std::string>{}(text);
  const auto [named, fresh] = ids_.try_emplace(*row.external_id, Named{row.line, prompt});
  if (!fresh && named->second.prompt != prompt)
    refuse("the id \"" + *row.external_id + "\" names another prompt on line " +
               std::to_string(named->second.line),
           "/id", row.line);
}

void ImportReader::warn(const std::string& pointer, const std::string& detail) {
  ++report_.warned;
  if (report_.warnings.size() < kImportIssuesShown)
    report_.warnings.push_back({report_.lines, repair_utf8(pointer), detail});
}

void ImportReader::warn_unused(const json& row, std::initializer_list<std::string_view> used) {
  constexpr std::size_t kNamedMax = 20;
  for (const auto& [key, value] : row.items()) {
    if (std::find(used.begin(), used.end(), key) != used.end() || unused_.size() >= kNamedMax)
      continue;
    if (std::find(unused_.begin(), unused_.end(), key) != unused_.end()) continue;
    unused_.push_back(key);
    warn("/" + pointer_token(key).substr(0, 100), "this member is not used");
  }
}

}  // namespace hone::shared
