// Where a decoder keeps keys and values, and what a step does with them: on the CPU, or on a CUDA
// device with kernels of its own and the whole step as one captured graph.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "rl/engine/sampling.h"
#include "rl/model/model.h"
#include "rl/model/score.h"

namespace hone::rl {

/// One prompt's keys and values, shared by its samples, and what follows its last token.
struct PromptCache {
  std::int64_t tokens = 0;
  at::Tensor kv;      // [layers][kv_heads][2][tokens][dim]
  at::Tensor logits;  // [V]
};

/// How a token is to be drawn.
struct Draw {
  const SamplingOptions* options = nullptr;
  double uniform = 0;                            // in [0, 1)
  std::span<const std::int64_t> prompt, sample;  // what stands there, for the penalty
};

/// A sample that a step adds a token to.
struct DecodeRow {
  std::size_t slot = 0;
  const PromptCache* prompt = nullptr;
  std::int64_t own = 0;   ///< tokens it has, the last of which the step computes
  std::int64_t last = 0;  ///< that token
  Draw draw;
};

struct DecodeShape {
  std::int64_t slots = 1;
  std::int64_t capacity = 1;  ///< tokens that a slot can hold
};

class DecodeCache {
 public:
  virtual ~DecodeCache() = default;

  /// Calls `body`, inside which alone the other functions may be called.
  virtual void run(const std::function<void()>& body) { body(); }
  /// Room for a prompt's keys and values.
  virtual PromptCache make_prompt(std::int64_t tokens) const = 0;
  /// Keeps the keys and values of rows [from, from + prompt.tokens) of one layer's qkv.
  virtual void store_prompt(std::size_t layer, const at::Tensor& qkv, std::int64_t from,
                            PromptCache& prompt) const = 0;
  /// A token for each row of logits [n,V].
  virtual std::vector<Choice> choose(const at::Tensor& logits, std::span<const Draw> draws) = 0;
  /// Computes each row's last token and draws the next.
  virtual std::vector<Choice> step(std::span<const DecodeRow> rows) = 0;
};

/// Where the model lies. The model must outlive it.
std::unique_ptr<DecodeCache> make_decode_cache(const Model& model, const DecodeShape& shape);

/// Bytes of one token's keys and values in all layers.
std::int64_t decode_token_bytes(const Model& model);

namespace cuda {
std::unique_ptr<DecodeCache> make_decode_cache(const Model& model, const DecodeShape& shape);
}

}  // namespace hone::rl
