// Uploaded JSONL: the first byte says as what (p, t, h: prompts, TRL, HH; else the rows tell).
#include "services/shared/import.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "services/shared/utf8.h"
#include "tests/fuzz/targets.h"

namespace hone::fuzz {
namespace {

void check(const shared::Messages& messages) {
  promise(!messages.empty(), "a conversation has messages");
  for (const auto& message : messages)
    promise(shared::find_bad_utf8(message.content) == std::string_view::npos, "texts are UTF-8");
  // What is kept is read back by the same rules.
  if (messages.front().role == "user" || messages.front().role == "system")
    promise(shared::parse_messages(shared::to_json(messages), "") == messages,
            "messages read again as they were");
}

}  // namespace

void import_rows(std::string_view bytes) {
  using Format = shared::ImportFormat;
  std::optional<Format> format;
  if (!bytes.empty()) {
    if (bytes[0] == 'p') format = Format::Prompts;
    if (bytes[0] == 't') format = Format::Trl;
    if (bytes[0] == 'h') format = Format::Hh;
    bytes.remove_prefix(1);
  }
  std::istringstream in{std::string(bytes)};
  shared::ImportReader reader(in, format);
  std::int64_t rows = 0;
  while (const auto row = reader.next()) {
    ++rows;
    check(row->prompt);
    promise(row->responses.empty() || row->responses.size() == 2, "a row has no answer or two");
    for (const auto& answer : row->responses) check(answer);
  }
  const auto& report = reader.report();
  promise(report.rows == rows && report.rows + report.refused <= report.lines,
          "the report counts every line once");
  for (const auto& issue : report.errors)
    promise(issue.line > 0 && !issue.detail.empty(), "a refusal names its line and why");
  for (const auto* issues : {&report.errors, &report.warnings})
    for (const auto& issue : *issues)
      promise(shared::find_bad_utf8(issue.detail + issue.pointer) == std::string_view::npos,
              "what a report says is UTF-8");
}

}  // namespace hone::fuzz
