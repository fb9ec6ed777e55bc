// Prompts, responses and the comparisons made of them: immutable, found again by their content.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/postgres/tx.h"

namespace hone::storage {

struct Prompt {
  PromptId id;
  JsonText messages;  ///< [{"role","content"}, ...]
  std::string split;  ///< "train" or "held_out"
  std::optional<std::string> external_id;
  std::optional<std::string> answer;  ///< for verifiers; never shown to a judge
  std::int64_t responses = 0;
  std::string created_at;
};

List<Prompt> list_prompts(Tx& tx, const ProjectId& project, const Page& page);

/// One import, for its counts and as the source of its responses.
struct NewImport {
  ProjectId project{};
  std::string format{};       ///< prompts, trl, hh
  std::string file_sha256{};  ///< of the uploaded bytes
  std::string judge_name{};   ///< of the `import` judge its labels belong to: dataset and revision
  std::optional<UserId> created_by{};
};

struct Import {
  std::string id;
  JudgeId judge;
};

struct ImportCounts {
  std::int64_t prompts = 0, responses = 0, comparisons = 0, judgments = 0;  ///< added
  std::int64_t answers =
      0;  ///< for verifiers: new ones, and those that correct an earlier import's
  std::int64_t duplicates = 0;  ///< rows that added nothing
  ImportCounts& operator+=(const ImportCounts& more);
};

Import insert_import(Tx& tx, const NewImport& given);
/// Adds a batch of checked rows, a JSON array (up to some thousand rows a call) of
///   {"prompt": [messages], "external_id"?: text, "split"?: "train"|"held_out"|null,
///    "answer"?: text, "responses"?: [[messages], [messages], ...],
///    "label"?: {"verdict": "prefer"|"tie"|"both_bad", "strength": 1..3 (the first of exactly two
///    is better)
///               or negative (the second) or 0 for a tie}}
/// in one set of statements. What is already there by content is left alone. A row without a
/// split gets one by hash(project, prompt): the project's held_out_share of prompts is held out,
/// and a prompt never lies on both sides (the first row that names it decides). Two or more
/// responses make a comparison of each pair of distinct texts; slots lie in the order of their
/// hashes, never in the file's; people are asked about a comparison unless the row carries a label.
/// Conflict naming it when an external_id is taken by another prompt, and when two rows of an
/// import give one prompt different answers; an answer that differs from an earlier import's
/// corrects it.
ImportCounts import_rows(Tx& tx, const Import& import, const ProjectId& project,
                         const JsonText& rows);
/// Keeps the totals with the import.
void finish_import(Tx& tx, const Import& import, const ImportCounts& added, std::int64_t refused);

}  // namespace hone::storage
