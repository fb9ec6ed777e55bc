// Packed passes and their written-out gradients against a padded batch: every text a row of its
// own, filled up to the longest, in libtorch's own operators and autograd.
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "tests/unit/rl/support/both_types.h"

namespace hone::rl {
namespace {

using namespace testing;

enum class Fill { Right, Left };

struct Padded {
  at::Tensor ids, positions;  // [B,L] int64
  at::Tensor first;           // [B] int64: the column of each text's first token
  at::Tensor rows, targets;   // [N] int64: which of B * L rows foretells which token
  at::Tensor last;            // [B] int64: the row of each text's last token
};

Padded padded(const std::vector<Group>& groups, Fill fill) {
  std::vector<std::pair<Ids, std::size_t>> texts;  // with the length of its prompt
  std::size_t longest = 0;
  for (const auto& group : groups)
    for (const auto& response : group.responses) {
      texts.emplace_back(group.prompt, group.prompt.size());
      auto& text = texts.back().first;
      text.insert(text.end(), response.begin(), response.end());
      longest = std::max(longest, text.size());
    }
  Ids ids(texts.size() * longest), positions(ids.size()), first, rows, targets, last;
  for (std::size_t b = 0; b < texts.size(); ++b) {
    const auto& [text, prompt] = texts[b];
    const std::size_t column = fill == Fill::Left ? longest - text.size() : 0,
                      row = b * longest + column;
    for (std::size_t i = 0; i < text.size(); ++i) {
      ids[row + i] = text[i];
      positions[row + i] = static_cast<std::int64_t>(i);
      if (i < prompt) continue;
      rows.push_back(static_cast<std::int64_t>(row + i) - 1);
      targets.push_back(text[i]);
    }
    first.push_back(static_cast<std::int64_t>(column));
    last.push_back(static_cast<std::int64_t>(row + text.size()) - 1);
  }
  const auto shaped = [&](const Ids& numbers) {
    return at::tensor(numbers).view({static_cast<std::int64_t>(texts.size()), -1});
  };
  return {shaped(ids),      shaped(positions),   at::tensor(first),
          at::tensor(rows), at::tensor(targets), at::tensor(last)};
}

at::Tensor norm(const Model& model, const at::Tensor& x, const Weight& weight) {
  const auto mean_square = x.square().mean(-1, /*keepdim=*/true);
  return x * (mean_square + model.config.rms_norm_eps).rsqrt() * weight.value;
}

at::Tensor linear(const Model& model, const Linear& l, const at::Tensor& x) {
  auto w = l.weight.value;
  if (!l.lora.empty()) {  // the slices' rows are all of the matrix's
    const auto r = model.lora.rank;
    std::vector<at::Tensor> deltas;
    for (std::size_t s = 0; s < l.lora.size(); ++s)
      deltas.push_back(
          l.lora[s].b.value.matmul(l.lora_a.value.narrow(0, static_cast<std::int64_t>(s) * r, r)));
    w = w + model.lora_scale * at::cat(deltas);
  }
  const auto y = x.matmul(w.t());
  return l.bias.value.defined() ? y + l.bias.value : y;
}

/// First half with second half; angles, cosines and sines rounded to f32 as the model's are.
at::Tensor turned(const Model& model, const at::Tensor& x, const at::Tensor& positions) {
  const auto angles =
      (positions.to(at::kFloat).unsqueeze(-1) * at::tensor(model.rope.inverse_frequencies()))
          .to(at::kDouble)
          .unsqueeze(1);  // [B,1,L,D/2]
  const auto cosine = angles.cos().to(at::kFloat).to(x.scalar_type()),
             sine = angles.sin().to(at::kFloat).to(x.scalar_type());
  const auto halves = x.chunk(2, -1);
  return at::cat({halves[0] * cosine - halves[1] * sine, halves[1] * cosine + halves[0] * sine},
                 -1);
}

/// Which key each query sees, [B,1,L,L]. A pad sees itself, so that its softmax is one of
/// something.
at::Tensor seen(const Padded& batch, std::int64_t window) {
  const auto column = at::arange(batch.ids.size(1), at::kLong);
  const auto i = column.unsqueeze(1), j = column.unsqueeze(0);
  auto allowed = (j <= i).logical_and(j >= batch.first.view({-1, 1, 1, 1}));
  if (window != 0) allowed = allowed.logical_and(i - j < window);
  return allowed.logical_or(i == j);
}

at::Tensor attend(const Model& model, std::size_t layer, const at::Tensor& qkv,
                  const Padded& batch) {
  const auto& block = model.blocks[layer];
  const auto s = model.head_shape(layer);
  const auto B = qkv.size(0), L = qkv.size(1);
  const auto heads = qkv.view({B, L, -1, s.dim}).transpose(1, 2);  // [B, heads + 2 kv_heads, L, D]
  auto q = heads.narrow(1, 0, s.heads), k = heads.narrow(1, s.heads, s.kv_heads),
       v = heads.narrow(1, s.heads + s.kv_heads, s.kv_heads);
  if (block.q_norm.value.defined()) {
    q = norm(model, q, block.q_norm);
    k = norm(model, k, block.k_norm);
  }
  if (model.config.turned(layer)) {
    q = turned(model, q, batch.positions);
    k = turned(model, k, batch.positions);
  }
  k = k.repeat_interleave(s.heads / s.kv_heads, 1);
  v = v.repeat_interleave(s.heads / s.kv_heads, 1);
  const auto scores = q.matmul(k.transpose(2, 3)) / std::sqrt(static_cast<double>(s.dim));
  const auto weights =
      scores.masked_fill(seen(batch, s.window).logical_not(), -INFINITY).softmax(-1);
  return weights.matmul(v).transpose(1, 2).reshape({B, L, -1});
}

/// The rows behind the last norm, [B * L, C].
at::Tensor final_rows(const Model& model, const Padded& batch) {
  auto x = model.embed.value.index_select(0, batch.ids.flatten())
               .view({batch.ids.size(0), batch.ids.size(1), -1});
  for (std::size_t layer = 0; layer < model.blocks.size(); ++layer) {
    const auto& block = model.blocks[layer];
    const auto qkv = linear(model, block.qkv, norm(model, x, block.attention_norm));
    x = x + linear(model, block.o, attend(model, layer, qkv, batch));
    const auto gate_up = linear(model, block.gate_up, norm(model, x, block.mlp_norm)).chunk(2, -1);
    const auto act = gate_up[0] * gate_up[0].sigmoid() * gate_up[1];
    x = x + linear(model, block.down, act);
  }
  return norm(model, x, model.norm).flatten(0, 1);
}

/// What pass_over gives, by autograd.
Pass padded_pass(Model model, const Padded& batch, const Upstream& upstream,
                 double temperature = 1) {
  for_each_weight(model, [](const std::string&, Weight& weight) {
    weight.value = weight.value.clone().set_requires_grad(true);
  });
  const auto rows = final_rows(model, batch);
  const auto logits = [&](const at::Tensor& which) {
    return rows.index_select(0, which).matmul(model.output().value.t());
  };
  Pass pass;
  if (model.score.value.defined()) {
    pass.values = logits(batch.last).flatten();
  } else {
    const auto logp = (logits(batch.rows) / temperature).log_softmax(-1);
    pass.values = logp.gather(1, batch.targets.unsqueeze(1)).flatten();
    if (upstream.entropy.defined()) pass.entropy = -(logp.exp() * logp).sum(-1);
  }
  auto objective = (pass.values * upstream.values).sum();
  if (pass.entropy.defined()) objective = objective + (pass.entropy * upstream.entropy).sum();
  objective.backward();
  for_each_weight(model, [&](const std::string& name, Weight& weight) {
    pass.gradients.emplace_back(name, weight.value.grad());
  });
  return pass;
}

class PackedIsPadded : public InBothTypes {
 protected:
  void SetUp() override {
    // There cuda/model_test.cpp compares with the CPU.
    if (compute_device().is_cuda()) GTEST_SKIP() << "of the CPU's kernels";
  }
};
INSTANTIATE_TEST_SUITE_P(In, PackedIsPadded, kBothTypes, type_name);

TEST_P(PackedIsPadded, LogProbabilitiesAndGradients) {
  const auto groups = uneven_groups();
  const auto packed = pack(groups);
  const Upstream upstream{numbers(packed.targets.size(0), 90), {}};
  for (const auto& model : all_kinds())
    for (const auto fill : {Fill::Right, Fill::Left})
      expect_close(pass_over(model, {packed}, upstream),
                   padded_pass(model, padded(groups, fill), upstream), close());
}

TEST_P(PackedIsPadded, EntropiesAndTheirGradientsAtATemperature) {
  const auto groups = uneven_groups();
  const auto packed = pack(groups);
  const auto n = packed.targets.size(0);
  const Upstream upstream{numbers(n, 91), numbers(n, 92)};
  for (const auto& model : {tiny(), tiny({.tied = false})})
    for (const double temperature : {1.0, 0.7})
      expect_close(pass_over(model, {packed}, upstream, {.head = {.temperature = temperature}}),
                   padded_pass(model, padded(groups, Fill::Right), upstream, temperature), close());
}

TEST_P(PackedIsPadded, RewardsAndTheirGradients) {
  const auto groups = uneven_groups();
  const auto packed = pack_whole(groups);
  const Upstream upstream{numbers(packed.last.size(0), 93), {}};
  for (const auto fill : {Fill::Right, Fill::Left})
    expect_close(pass_over(tiny_score(), {packed}, upstream),
                 padded_pass(tiny_score(), padded(groups, fill), upstream), close());
}

}  // namespace
}  // namespace hone::rl
