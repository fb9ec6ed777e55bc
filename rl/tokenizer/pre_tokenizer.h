// Cutting normalised text into the pieces that byte-pair encoding works on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rl/tokenizer/spec.h"
#include "rl/tokenizer/split.h"

namespace hone::rl {

/// The steps, with their patterns compiled. Const calls are safe from several threads.
class PreTokenizer {
 public:
  explicit PreTokenizer(const std::vector<PreTokenizerStep>& steps);

  /// Whether pieces are bytes in GPT-2's alphabet: then they come out as the raw bytes.
  bool byte_level() const { return byte_level_; }

  /// The pieces of `text`, none of them empty. `at_start`: the text begins where the whole input
  /// does.
  std::vector<std::string> cut(std::string text, bool at_start) const;

 private:
  struct Step {
    PreTokenizerStep spec;
    std::vector<Pattern> pattern;  // none or one
  };
  std::vector<Step> steps_;
  bool byte_level_ = false;
};

}  // namespace hone::rl
