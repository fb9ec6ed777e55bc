// Several seeds on the command line: how they are named, and how their results are told.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace hone::cli {

/// What `--seeds` means: "3" is how many, "1,5,2" or "1,5" which. Throws Invalid for other words.
nlohmann::json seeds_of(const std::string& word);

/// A run's `result.seeds` as a table: a line a metric with mean, 95 % interval and a column a seed,
/// the heading first; then a line for each seed that failed.
std::vector<std::vector<std::string>> seed_rows(const nlohmann::json& seeds);

}  // namespace hone::cli
