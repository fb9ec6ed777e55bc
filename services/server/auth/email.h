// E-mail addresses as account names: compared without case, checked for form only.
#pragma once

#include <string>
#include <string_view>

namespace hone::server {

/// Without spaces around, ASCII letters in lower case. What is looked up and counted.
std::string normal_email(std::string_view text);

/// normal_email of something that looks like an address; throws Error{Invalid} at `pointer`.
std::string parse_email(std::string_view text, const std::string& pointer);

}  // namespace hone::server
