// The language-model head on the rows that are scored, and nothing else: log-probabilities of given
// tokens, and their gradient. The logits never exist whole above a byte budget.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace hone::rl {

/// Of logits at once, where nothing else is said: 256 MB, or a sixteenth of a device's memory.
std::int64_t logits_budget();

struct HeadOptions {
  double temperature = 1;                       ///< logits are divided by it
  std::int64_t logits_bytes = logits_budget();  ///< at once; above it, chunk by chunk
};

/// What the backward pass needs. Holds the logits when they fit the budget, so that it can use
/// their memory; otherwise they are computed again.
struct HeadTrace {
  at::Tensor hidden, targets, lse, logits;
  at::Tensor entropy;  // where it was asked for
};

// All tensors lie on one device. On the CPU they are f32 or f64, and so is what comes out. On a
// CUDA device hidden and weight may be bf16; logits are f32.

/// log softmax(hidden [N,C] weight [V,C]^T / temperature) at targets [N] int64: [N], nats.
/// `entropy` gets that of each row's whole distribution, [N] nats; `likeliest` 1 where no token is
/// likelier than the target, [N].
at::Tensor token_logprobs(const at::Tensor& hidden, const at::Tensor& weight,
                          const at::Tensor& targets, const HeadOptions& options,
                          HeadTrace* trace = nullptr, at::Tensor* entropy = nullptr,
                          at::Tensor* likeliest = nullptr);

/// The gradient of hidden [N,C] given that of the log-probabilities [N] and, where defined, of the
/// entropies [N], which the forward pass must then have been asked for; adds weight's own to
/// dweight [V,C] when defined. Spends the trace.
at::Tensor token_logprobs_backward(const at::Tensor& dlogprobs, const at::Tensor& weight,
                                   at::Tensor dweight, const HeadOptions& options, HeadTrace& trace,
                                   const at::Tensor& dentropy = at::Tensor());

}  // namespace hone::rl
