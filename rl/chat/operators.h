// Python's operators on a template's values.
#pragma once

#include <string>
#include <string_view>

#include "rl/chat/site.h"

namespace hone::rl::chat {

/// a == b.
bool equal(const Site& site, const Value& a, const Value& b);
/// a `which` b, for < <= > >=. Invalid unless both are numbers or both are strings.
bool ordered(const Site& site, std::string_view which, const Value& a, const Value& b);
/// what in where.
bool contains(const Site& site, const Value& where, const Value& what);
/// a `which` b, for every comparison: == != < <= > >= in "not in".
bool compared(const Site& site, std::string_view which, const Value& a, const Value& b);

/// a `which` b, for + - * / // % **. Invalid where Python would raise, and where an integer would
/// leave 64 bits, which Python's does not.
Value computed(const Site& site, std::string_view which, const Value& a, const Value& b);
Value negated(const Site& site, const Value& value);
/// +value: an integer for a truth value.
Value unchanged_number(const Site& site, const Value& value);

}  // namespace hone::rl::chat
