// A row's texts as ids, with what must be true of the ids of every method's rows.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "rl/data/rows.h"

namespace hone::rl {

/// The prompt's tokens. Invalid with the line for none, for an id outside the model's vocabulary,
/// and for two tokens that begin a text: template and post-processor, or the data, each wrote one.
Ids row_prompt(const TextRules& rules, const Prompt& prompt, std::int64_t line,
               const std::string& field);

/// The response's tokens. After messages exactly one end token, the last. Invalid with the line for
/// no tokens, an id outside the vocabulary, an end token before the end.
Ids row_response(const TextRules& rules, const Prompt& prompt, const std::string& response,
                 std::int64_t line, const std::string& field);

/// Invalid for ids outside the vocabulary, and for two tokens that begin a text.
void check_ids(const TextRules& rules, const Ids& ids, std::int64_t line, const std::string& field);

/// Watches the rows go by for those that stand twice and for prompts of both splits.
class Repeats {
 public:
  /// One row of the file: its line, its prompt, and all that makes another row the same one.
  void add(std::int64_t line, bool held_out, const Ids& prompt, const std::vector<const Ids*>& rest,
           const std::string& label = "");
  /// True the first time that `prompt` is met in its split.
  bool is_new_prompt(bool held_out, const Ids& prompt) const;

  /// Rows equal to one before them in the same split.
  std::int64_t duplicates() const { return duplicates_; }
  /// Held-out rows whose prompt is one of the training rows', wherever in the file it stands: what
  /// is measured on them was partly trained on.
  std::int64_t leaked_prompts() const;
  /// The line of the first of them; 0: there is none.
  std::int64_t leaked_line() const;

 private:
  std::unordered_set<std::string> rows_, prompts_[2];  // by hash; [1] is held out
  struct Row {
    std::string prompt;
    std::int64_t line;
  };
  std::vector<Row> held_out_rows_;
  std::int64_t duplicates_ = 0;
};

}  // namespace hone::rl
