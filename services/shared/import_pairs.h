// From two whole conversations to what they share and where they part.
#pragma once

#include <cstdint>
#include <string>

#include "services/shared/messages.h"

namespace hone::shared {

struct Pair {
  Messages prompt, chosen, rejected;
};

/// The prompt is the longest common list of turns; what is left of each must begin with the
/// assistant. Throws Invalid, pointing to "/chosen" or "/rejected" where only one is at fault.
Pair split_pair(Messages chosen, Messages rejected, std::int64_t line);

/// An HH transcript as turns, their texts trimmed: "\n\nHuman: Hi\n\nAssistant: Hello". Throws
/// Invalid for a text that does not begin with a marker, and for an empty turn.
Messages parse_transcript(const std::string& text, const std::string& pointer, std::int64_t line);

}  // namespace hone::shared
