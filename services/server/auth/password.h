// Which passwords are taken. No composition rules: length, and not one that everybody tries first.
#pragma once

#include <string>
#include <string_view>

namespace hone::server {

inline constexpr std::size_t kPasswordMin = 8;     ///< characters
inline constexpr std::size_t kPasswordMax = 1024;  ///< bytes: a bound on work, not on taste

/// Throws Error{Invalid} at `/password` saying what is wrong. `about` is what an attacker knows
/// beforehand: the person's e-mail and name.
void check_password(std::string_view password, std::string_view email, std::string_view name);

/// True for the passwords that guessing programs begin with: a common word or keyboard walk, in any
/// case, with digits for letters, years and signs around it, or repeated; sequences; one or two
/// different characters only.
bool is_common_password(std::string_view password);

}  // namespace hone::server
