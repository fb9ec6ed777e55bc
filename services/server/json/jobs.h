// Jobs as JSON, and the bodies that start a sample job.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "storage/repo/jobs.h"

namespace hone::server {

struct SampleAsked {
  std::string base;  ///< name or id
  std::string split;
  nlohmann::json spec;  ///< every option resolved; without "base"
};

/// {base, responses_per_prompt, max_tokens, temperature, top_p, top_k, min_p, repetition_penalty,
/// dtype, seed, split}. Throws Invalid.
/// `draw` gives a seed when none is named.
SampleAsked parse_sample(const nlohmann::json& body, const std::function<std::int64_t()>& draw);

nlohmann::json to_json(const storage::Job& job);

}  // namespace hone::server
