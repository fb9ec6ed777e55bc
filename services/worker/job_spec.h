// Reads what the server wrote into a job's spec; the rest of it is checked by hone-run.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace hone::worker {

/// A member of the spec, or `fallback` when it is absent or null.
nlohmann::json member_or(const nlohmann::json& object, const char* name, nlohmann::json fallback);

/// An array of {"role","content"} as one text: what a rule critic judges.
std::string text_of_messages(const nlohmann::json& messages);

}  // namespace hone::worker
