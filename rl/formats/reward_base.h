// A base as a reward model is published from it.
#pragma once

#include "rl/formats/base.h"

namespace hone::rl {

/// The base's files and shape with a score for an output, without weights. Readers take the score
/// at the last token that is not padding, so the pad token must be one that no text holds: where a
/// base pads with its end token, the score would be read one token early. An unused special token
/// takes its place, in config.json and in the tokenizer's settings, which are then marked
/// generated; where none is to spare there is no pad token, and readers take one text at a time.
Base reward_base(const Base& base);

}  // namespace hone::rl
