// One number a row from the last hidden state: the head of reward models, read at a response's last
// token, and of value models, read at the row before each of its tokens.
#pragma once

#include <ATen/core/Tensor.h>

#include "rl/model/forward.h"
#include "rl/model/model.h"
#include "rl/model/score.h"
#include "rl/random/philox.h"

namespace hone::rl {

/// Puts a fresh score head in the place of the language-model head: normal with standard deviation
/// 1 / sqrt(C + 1), no bias (Stiennon et al. 2020, arXiv:2009.01325).
void make_score_model(Model& model, const Random& init);
/// The same with a head of zeros: before anything is learnt, every state is worth as much (as in
/// the code of Ziegler et al. 2019, arXiv:1909.08593).
void make_value_model(Model& model);

struct ScalarTrace {
  Trace trunk;
  at::Tensor hidden, rstd, normed;  // [N,C], [N], [N,C]
};

/// score . norm(hidden) at `rows` [N] int64 of the packed trunk: [N], on the CPU. Rewards are read
/// at pack_whole(groups).last, values at pack(groups).rows.
at::Tensor scalars_at(const Model& model, const Packed& packed, const at::Tensor& rows,
                      ScalarTrace* trace = nullptr);

/// Adds the gradients of all weights that train, given that of the numbers [N]. Spends the trace.
void scalars_backward(Model& model, const Packed& packed, const at::Tensor& rows,
                      const at::Tensor& dvalues, ScalarTrace trace);

}  // namespace hone::rl
