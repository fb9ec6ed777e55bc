// Rotary scaling in the terms of GGUF files.
#pragma once

#include <cstdint>
#include <vector>

#include "rl/formats/config.h"

namespace hone::rl {

/// What llama3 scaling multiplies each of the head_dim / 2 wavelengths with (transformers,
/// _compute_llama3_parameters).
std::vector<double> llama3_factors(const RopeScaling& scaling, double theta, std::int64_t head_dim);

/// YaRN's own attention factor, 0.1 ln(factor) + 1 (arXiv:2309.00071, section 3.4).
double yarn_attention(double factor);

}  // namespace hone::rl
