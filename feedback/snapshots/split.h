// Which prompts are kept from training, and under which names judges appear in a snapshot.
#pragma once

#include <string>
#include <string_view>

#include "feedback/snapshots/digest.h"

namespace hone::feedback {

enum class Split { Train, HeldOut };

/// "train", "held_out".
const char* to_string(Split split);

/// By hash of (salt, prompt) alone: the same prompt falls on the same side in every import, order
/// and machine, and no prompt ever sits on both. `share` of all prompts is held out.
Split split_of(std::string_view salt, std::string_view prompt_sha256, double share, const Sha256& sha256);

/// "j" and ten hexadecimal digits: one name for a judge in all snapshots under one salt, which says
/// nothing about who it is to anyone who does not hold the salt.
std::string pseudonym(std::string_view salt, std::string_view judge, const Sha256& sha256);

}  // namespace hone::feedback
