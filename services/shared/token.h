// Secrets that a person carries: API tokens and one-time links. The server and the command line
// both make them; only their SHA-256 is ever stored.
#pragma once

#include <string>
#include <string_view>

#include "feedback/base/random.h"

namespace hone::shared {

/// `hone_<kind>_`, 30 random base62 digits (178 bits), then 6 that are the CRC-32 of all before
/// them: secret scanners find it, and a mistyped one is known without asking the database.
/// Kinds in use: pat (an API token), inv (an invitation), rst (a password reset).
std::string new_token(std::string_view kind, Random& random);

/// Whether the text has that form and its checksum fits.
bool is_token(std::string_view kind, std::string_view text);

}  // namespace hone::shared
