// Token texts back to text.
#pragma once

#include <string>
#include <vector>

#include "rl/tokenizer/spec.h"

namespace hone::rl {

/// The text of a run of tokens; without steps they are joined by spaces.
std::string decode_tokens(const std::vector<DecoderStep>& steps, std::vector<std::string> tokens);

/// The bytes one token adds under the ByteLevel decoder.
std::string byte_level_piece(const std::string& token);

}  // namespace hone::rl
