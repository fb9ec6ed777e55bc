// "reward" and "gold" of POST /runs: what drawn answers are worth.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace hone::server {

/// Reads one reward or a list of up to 16, each
///   {"critic": id}                                          a rule critic of the project
///   {"model": id}                                           a published version of a reward model
///   {"type": "exact_answer", "form"?: "strict" | "lenient"} or with "pattern" of one group
///   {"type": "regex", "pattern", "ignore_case"?}
///   {"type": "length", "tokens"}
/// with "weight" (1; not 0; a negative one punishes) and "name" (what its metrics are called by).
/// A list with every default written out; names differ. What ids stand for is not looked at. Throws
/// Invalid with the JSON pointer below `at`.
nlohmann::json parse_reward(const nlohmann::json& given, const std::string& at);

}  // namespace hone::server
