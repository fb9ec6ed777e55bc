// The two words a snapshot adds to a row: its side of the split, and a name for its judge.
#pragma once

#include <string>
#include <string_view>

#include "feedback/snapshots/digest.h"

namespace hone::feedback {

/// Fixed for a prompt when it is imported, so that no prompt ever sits on both sides.
enum class Split { Train, HeldOut };

/// "train", "held_out".
const char* to_string(Split split);

/// "j" and ten hexadecimal digits: one name for a judge in all snapshots under one salt, which says
/// nothing about who it is to anyone who does not hold the salt.
std::string pseudonym(std::string_view salt, std::string_view judge, const Sha256& sha256);

}  // namespace hone::feedback
