// The filters, tests and methods of a template, by name.
#pragma once

#include <string>
#include <string_view>

#include "rl/chat/site.h"

namespace hone::rl::chat {

bool is_filter(std::string_view name);
/// value | name(arguments). Invalid for an unknown name too, since a filter may be named by a value
/// (map).
Value filtered(const Site& site, const std::string& name, const Value& value,
               const Arguments& arguments);

bool is_test(std::string_view name);
/// value is name(arguments).
bool tested(const Site& site, const std::string& name, const Value& value,
            const Arguments& arguments);

bool is_method(std::string_view name);
/// value.name(arguments).
Value method(const Site& site, const std::string& name, const Value& value,
             const Arguments& arguments);

}  // namespace hone::rl::chat
