// What tokenizer.ggml.pre means: the names llama.cpp gives to the ways byte-level BPE cuts text.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rl/tokenizer/spec.h"

namespace hone::rl {

struct GgufPre {
  std::string_view name;
  bool nfc;
  bool ignore_merges;
  bool add_bos;  ///< when the file does not say
  std::vector<PreTokenizerStep> (*steps)();
};

/// Null for a name that is not known.
const GgufPre* find_gguf_pre(std::string_view name);
/// The name of a spec's way of cutting; null when llama.cpp has none that is known here.
const GgufPre* gguf_pre_of(const TokenizerSpec& spec);
/// "smollm, gpt-2 ...", for messages.
std::string gguf_pre_names();

/// tokenizer.ggml.token_type
inline constexpr std::int64_t kGgufNormal = 1;
inline constexpr std::int64_t kGgufUnknown = 2;
inline constexpr std::int64_t kGgufControl = 3;
inline constexpr std::int64_t kGgufUserDefined = 4;
inline constexpr std::int64_t kGgufUnused = 5;
inline constexpr std::int64_t kGgufByte = 6;

/// U+2581, which SentencePiece writes for a space.
inline constexpr const char* kSentencePieceSpace = "\xE2\x96\x81";

}  // namespace hone::rl
