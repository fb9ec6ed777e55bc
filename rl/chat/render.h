// Carrying a parsed template out.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "rl/chat/chat_template.h"
#include "rl/chat/syntax.h"
#include "rl/chat/value.h"

namespace hone::rl::chat {

/// The text of the template with these names. Invalid, with the place, for what Python would refuse
/// too (a string plus a number), for raise_exception, and past the limits on steps and length.
Rendered render(const Script& script, std::map<std::string, Value> names,
                const RenderOptions& options);

}  // namespace hone::rl::chat
