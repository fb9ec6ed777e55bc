// Reads uploaded JSONL as prompts or preference pairs: line by line, remembering only the ids,
// every complaint with its line and JSON pointer. What the rows become is storage's business.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/shared/messages.h"

namespace hone::shared {

/// Prompts: {"prompt": text | [messages]} or {"messages": [...]}, with "id", "split" and "answer"
///          (what a verifier compares with: a text, or a number as it is written) if wanted.
/// Trl:     {"prompt", "chosen", "rejected"}, all texts or all message lists; or "chosen" and
///          "rejected" as whole conversations, whose common beginning is the prompt; "answer" too.
/// Hh:      {"chosen", "rejected"}: transcripts of "\n\nHuman:" and "\n\nAssistant:" turns.
enum class ImportFormat { Prompts, Trl, Hh };

/// "prompts", "trl", "hh".
const char* to_string(ImportFormat format);

/// One good row. A text given as a prompt is one user message, as an answer one assistant message,
/// byte for byte.
struct ImportedRow {
  std::int64_t line = 0;
  Messages prompt;  ///< ends with a user message
  std::optional<std::string> external_id;
  std::optional<std::string> split;   ///< train or held_out; empty: not said
  std::optional<std::string> answer;  ///< the prompt's, for verifiers
  std::vector<Messages> responses;    ///< none, or the chosen and the rejected one
};

struct ImportIssue {
  std::int64_t line = 0;
  std::string pointer;
  std::string detail;
};

struct ImportReport {
  std::optional<ImportFormat> format;  ///< empty until a row showed it
  std::int64_t lines = 0;              ///< of the file, blank ones too
  std::int64_t rows = 0;               ///< good ones
  std::int64_t refused = 0;            ///< bad ones
  std::int64_t warned = 0;
  std::vector<ImportIssue> errors;    ///< of the first kImportIssuesShown refused rows, one each
  std::vector<ImportIssue> warnings;  ///< the first ones; a key that is not used is named once
};

inline constexpr std::size_t kImportIssuesShown = 20;

/// One pass over one file. One thread.
class ImportReader {
 public:
  /// Without `format` the first row's keys decide; all further rows must fit. `in` outlives this.
  explicit ImportReader(std::istream& in, std::optional<ImportFormat> format = std::nullopt);

  /// The next good row; nothing at the end. Bad rows are passed over and counted in the report.
  /// Throws only for failures of the stream itself.
  std::optional<ImportedRow> next();

  const ImportReport& report() const { return report_; }

 private:
  bool read_line();
  ImportedRow parse_row();
  void claim_id(const ImportedRow& row);
  void warn(const std::string& pointer, const std::string& detail);
  void warn_unused(const nlohmann::json& row, std::initializer_list<std::string_view> used);

  std::istream& in_;
  std::string line_;
  bool line_too_long_ = false;
  ImportReport report_;
  std::vector<std::string> unused_;  // keys already warned about
  struct Named {
    std::int64_t line;
    std::size_t prompt;  // hash of its messages
  };
  std::unordered_map<std::string, Named> ids_;  // who has which id
};

}  // namespace hone::shared
