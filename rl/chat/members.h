// value.name, value[key] and value[from:to:by], as the sandbox that renders templates reads them.
#pragma once

#include <string>

#include "rl/chat/site.h"

namespace hone::rl::chat {

/// value.name. An undefined value for what is not there; Invalid for a member of an undefined
/// value, and for what Python has there and we do not (a method that is not called).
Value attribute(const Site& site, const Value& value, const std::string& name);

/// value[key], which falls back to the attribute.
Value item(const Site& site, const Value& value, const Value& key);

/// value[from:to:by], an absent bound is null.
Value slice(const Site& site, const Value& value, const Value* from, const Value* to,
            const Value* by);

}  // namespace hone::rl::chat
