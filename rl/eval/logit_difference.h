// How far two forms of one model are apart: a merged adapter, a quantised file.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "rl/model/model.h"
#include "rl/tokenizer/tokenizer.h"

namespace hone::rl {

struct LogitDifference {
  std::int64_t tokens = 0;  ///< positions compared
  double max_abs = 0;       ///< of any logit
  double kl = 0;            ///< mean over positions of KL(one || other), nats
  double same_top = 0;      ///< share of positions whose likeliest token is the same
};

/// A few fixed texts (prose, code, figures, other scripts) as a model's ids, each cut to `limit`.
std::vector<std::vector<std::int64_t>> probe_ids(const Tokenizer& tokenizer, std::int64_t limit);

/// Logits after every token of every text, [tokens, vocabulary] f32; with the model's adapters when
/// they are on.
at::Tensor probe_logits(const Model& model, const std::vector<std::vector<std::int64_t>>& texts);

/// Both [tokens, vocabulary] f32.
LogitDifference compare_logits(const at::Tensor& one, const at::Tensor& other);

}  // namespace hone::rl
