// Carrying a parsed template out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "rl/chat/syntax.h"
#include "rl/chat/value.h"

namespace hone::rl::chat {

/// The text of the template with these names. Invalid, with the place, for what Python would refuse
/// too (a string plus a number), for raise_exception, and past the limits on steps and length.
std::string render(const std::vector<Statement>& statements, std::map<std::string, Value> names);

}  // namespace hone::rl::chat
