// Packed prompts and responses, and the log-probabilities of the responses' tokens under a model.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "rl/model/forward.h"
#include "rl/model/model.h"
#include "rl/ops/head.h"

namespace hone::rl {

using Ids = std::vector<std::int64_t>;

/// Responses to one prompt; the prompt is computed once for all of them.
struct Group {
  Ids prompt;                  ///< at least one token
  std::vector<Ids> responses;  ///< each at least one token
};

/// Groups laid end to end.
struct Packed {
  at::Tensor ids,
      positions;  // [T] int64; positions restart at each prompt, and at its end for each response
  Segments segments;
  at::Tensor rows,
      targets;  // [N] int64: which row of the trunk scores which token, response by response
  std::vector<std::int64_t> lengths;  // tokens of each response; they sum to N
  at::Tensor last;  // [responses] int64: the row of each response's last token; of pack_whole alone
};

/// For log-probabilities and values: a response's last token predicts nothing, so the trunk does
/// not see it. Invalid for an empty prompt or response.
Packed pack(std::span<const Group> groups);
/// For rewards, which are read at the last token: the trunk sees it.
Packed pack_whole(std::span<const Group> groups);

/// Leaves only the targets that `learnt` [N] marks with 1: the head then sees their rows alone.
/// `lengths` become the marked tokens of each response, which may be none.
void keep_targets(Packed& packed, const std::vector<std::uint8_t>& learnt);

/// Trunk tokens that pack() will make of a group.
std::int64_t packed_tokens(const Group& group);

struct ScoreTrace {
  Trace trunk;
  at::Tensor hidden, rstd;  // [N,C] rows before the final norm, [N]
  HeadTrace head;
};

// Packed tensors lie on the CPU, and so do log-probabilities, entropies and their gradients,
// wherever the model does: losses are computed there.

/// What the head sees: the trunk's rows that foretell the targets, after the final norm, [N,C].
at::Tensor final_rows(const Model& model, const Packed& packed, ScoreTrace* trace = nullptr);
/// Adds the gradients of norm and trunk, given that of final_rows' result.
void final_rows_backward(Model& model, const Packed& packed, const at::Tensor& dnormed,
                         ScoreTrace trace);

/// Log-probability of every response token, [N], nats, in `packed.targets`' order.
/// `entropy` and `likeliest` get what token_logprobs says of them, in the same order.
at::Tensor response_logprobs(const Model& model, const Packed& packed,
                             const HeadOptions& options = {}, ScoreTrace* trace = nullptr,
                             at::Tensor* entropy = nullptr, at::Tensor* likeliest = nullptr);

/// Adds the gradients of all weights that train, given that of the log-probabilities [N] and, where
/// defined, of the entropies [N], which the forward pass must then have been asked for.
void response_logprobs_backward(Model& model, const Packed& packed, const at::Tensor& dlogprobs,
                                const HeadOptions& options, ScoreTrace trace,
                                const at::Tensor& dentropy = at::Tensor());

/// Sums [N] token values to [responses].
at::Tensor sum_by_response(const at::Tensor& values, const Packed& packed);
/// Spreads [responses] to [N]: the gradient of sum_by_response.
at::Tensor spread_over_tokens(const at::Tensor& per_response, const Packed& packed);

}  // namespace hone::rl
