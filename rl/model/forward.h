// The forward pass, written once for training, scoring, sampling and evaluation, and its backward
// pass.
//
// The backward pass is written out instead of recorded by autograd: it keeps five tensors a block
// and computes norms and SwiGLU again, adds weight gradients straight into their buffers, frees
// each block's memory as it goes, and computes nothing for frozen weights. Losses still use
// autograd; their gradient arrives here as that of the log-probabilities.
//
// Letters: T tokens, C hidden size, F intermediate size, r LoRA rank.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "rl/model/model.h"
#include "rl/ops/head_norm.h"

namespace hone::rl {

/// Attention of one layer: qkv [T, (heads + 2 kv_heads) * dim], positions turned in, to [T, heads *
/// dim].
using Attend = std::function<at::Tensor(std::size_t layer, const at::Tensor& qkv)>;

/// What one block keeps for its backward pass.
struct BlockTrace {
  at::Tensor x, rstd_x;  // [T,C], [T]: the block's input
  at::Tensor qkv;        // [T, (heads + 2 kv_heads) * dim], positions turned in
  HeadNormTrace qk_norm;
  AttentionTrace attention;
  at::Tensor attended;   // [T, heads * dim]
  at::Tensor y, rstd_y;  // [T,C], [T]: after attention
  at::Tensor gate_up;    // [T,2F]
  at::Tensor lora[4];  // x A^T of qkv, o, gate_up, down: [T, slices * r]; undefined without adapter
};

struct Trace {
  std::vector<BlockTrace> blocks;
  /// Set before the forward pass: of a block only its input is kept, and backward computes the rest
  /// again (Chen et al. 2016, arXiv:1604.06174). The same kernels on the same numbers: equal to the
  /// bit, for one more forward pass and a fraction of the memory.
  bool checkpointed = false;
};

/// Ids [T] and positions [T], int64, on the CPU or the model's device, to the last block's output
/// [T,C], before the final norm.
at::Tensor forward(const Model& model, const at::Tensor& ids, const at::Tensor& positions,
                   const Attend& attend);

/// The same over packed segments, keeping what the backward pass needs.
at::Tensor forward(const Model& model, const at::Tensor& ids, const at::Tensor& positions,
                   const Segments& segments, Trace* trace);

/// What the head makes of rows of forward's result, x [n,C]: logits [n,V] f32. Not for training,
/// whose head never has them all (ops/head.h).
at::Tensor logits_of(const Model& model, const at::Tensor& x);

/// Adds the gradients of all weights that train, given that of forward's result, dx [T,C]; spends
/// both.
void backward(Model& model, const at::Tensor& ids, const at::Tensor& positions,
              const Segments& segments, Trace trace, at::Tensor dx);

}  // namespace hone::rl
