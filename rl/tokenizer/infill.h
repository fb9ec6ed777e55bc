// Prompts that ask for what stands between two texts, on bases that were trained to fill in the
// middle. Which tokens mark the parts is found by their text, never by number.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rl/tokenizer/tokenizer.h"

namespace hone::rl {

struct InfillTokens {
  std::int64_t prefix = 0, suffix = 0, middle = 0, end = 0;  ///< `end` ends the middle
  /// Text behind a mark begins without the space that this tokenizer puts before a text.
  bool marks_join = false;
};

/// Those of Code Llama (arXiv:2308.12950), Qwen2.5-Coder (arXiv:2409.12186) or StarCoder
/// (arXiv:2305.06161); nullopt where the tokenizer has none of the three sets whole.
std::optional<InfillTokens> find_infill_tokens(const Tokenizer& tokenizer);
/// The same; Invalid naming the tokens that were looked for.
InfillTokens infill_tokens(const Tokenizer& tokenizer);

/// Prefix, suffix, middle (PSM), as Code Llama's reference lays a prompt out: what the tokenizer
/// puts in front of a text, <PRE> prefix <SUF>suffix <MID>.
std::vector<std::int64_t> infill_prompt(const Tokenizer& tokenizer, const InfillTokens& tokens,
                                        std::string_view prefix, std::string_view suffix);

/// The tokens of a middle, and its end.
std::vector<std::int64_t> infill_middle(const Tokenizer& tokenizer, const InfillTokens& tokens,
                                        std::string_view middle);

/// The text of a middle's tokens, its first space kept.
std::string infill_text(const Tokenizer& tokenizer, const InfillTokens& tokens,
                        std::span<const std::int64_t> ids);

}  // namespace hone::rl
