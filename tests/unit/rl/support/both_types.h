// Tests in f32, which runs compute in, and in f64, where rounding hides nothing; and whole passes
// with the gradients of all weights, to be compared with each other.
#pragma once

#include <ATen/ops/cat.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rl/model/lora.h"
#include "rl/model/scalar_head.h"
#include "rl/ops/matmul.h"
#include "tests/unit/rl/support/tiny_model.h"

namespace hone::rl::testing {

/// What a pass gives: log-probabilities or, of a model with a score head, rewards; entropies where
/// they have an upstream gradient; the gradients of all weights by name.
struct Pass {
  at::Tensor values, entropy;
  std::vector<std::pair<std::string, at::Tensor>> gradients;
};

/// Gradients of what a pass gives; `entropy` may be undefined.
struct Upstream {
  at::Tensor values, entropy;
};

struct PassOptions {
  HeadOptions head = {};
  bool checkpointed = false;
};

/// Forward and backward over packs, one after the other; their gradients add up. Rewards need packs
/// of pack_whole.
inline Pass pass_over(Model model, const std::vector<Packed>& packs, const Upstream& upstream,
                      const PassOptions& options = {}) {
  train_all_weights(model);  // the copy's own gradients: weights alone are shared
  std::vector<at::Tensor> values, entropies;
  std::int64_t from = 0;
  const auto forward_and_backward = [&](const Packed& packed) {
    const auto part = [&](const at::Tensor& t, std::int64_t n) {
      return t.defined() ? t.narrow(0, from, n) : t;
    };
    if (model.score.value.defined()) {
      ScalarTrace trace;
      trace.trunk.checkpointed = options.checkpointed;
      values.push_back(scalars_at(model, packed, packed.last, &trace));
      scalars_backward(model, packed, packed.last, part(upstream.values, values.back().size(0)),
                       std::move(trace));
    } else {
      ScoreTrace trace;
      trace.trunk.checkpointed = options.checkpointed;
      at::Tensor entropy;
      values.push_back(response_logprobs(model, packed, options.head, &trace,
                                         upstream.entropy.defined() ? &entropy : nullptr));
      const auto n = values.back().size(0);
      response_logprobs_backward(model, packed, part(upstream.values, n), options.head,
                                 std::move(trace), part(upstream.entropy, n));
      if (entropy.defined()) entropies.push_back(entropy);
    }
    from += values.back().size(0);
  };
  for (const auto& packed : packs) forward_and_backward(packed);
  Pass pass{at::cat(values), entropies.empty() ? at::Tensor() : at::cat(entropies), {}};
  for (const auto& [name, weight] : trainable(model))
    pass.gradients.emplace_back(name, weight->grad);
  return pass;
}

/// Every response in a pack of its own, which shares nothing. `lay_out`: pack or pack_whole.
inline std::vector<Packed> each_alone(const std::vector<Group>& groups,
                                      Packed (*lay_out)(std::span<const Group>) = pack) {
  std::vector<Packed> packs;
  for (const auto& group : groups)
    for (const auto& response : group.responses)
      packs.push_back(lay_out(std::vector<Group>{{group.prompt, {response}}}));
  return packs;
}

/// Adapters on every linear layer, with a B that is not zero.
inline Model with_adapters(Model model) {
  add_lora(model, {.rank = 3, .alpha = 6}, Random(5, Stream::Init));
  for (auto& [name, weight] : trainable(model))
    if (name.find("lora_b") != std::string::npos)
      weight->value.copy_(random_tensor(weight->value.sizes().vec(), 77, 0.2));
  return model;
}

class InBothTypes : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    if (GetParam() == at::kDouble && compute_device().is_cuda())
      GTEST_SKIP() << "a device's kernels take no f64";
  }

  Model tiny(const TinyShape& shape = {}) const { return tiny_model(shape, GetParam()); }
  Model tiny_score() const {
    auto model = tiny();
    make_score_model(model, Random(3, Stream::Init));
    return model;
  }
  /// One model of each part that families have or lack.
  std::vector<Model> all_kinds() const {
    std::vector<Model> out;
    for (const auto& shape :
         {TinyShape{}, TinyShape{.kv_heads = 4}, TinyShape{.kv_heads = 1, .tied = false},
          TinyShape{.biases = true}, TinyShape{.qk_norm = true}, TinyShape{.window = 4},
          TinyShape{.window = 9, .unturned = true}})
      out.push_back(tiny(shape));
    out.push_back(with_adapters(tiny()));
    return out;
  }
  at::Tensor numbers(std::int64_t count, std::uint64_t which) const {
    return random_tensor({count}, which, 1).to(GetParam());
  }

  /// What rounding may leave between two ways to one number.
  double close() const { return GetParam() == at::kDouble ? 1e-13 : 1e-5; }
  /// `relative` times a gradient's largest entry is allowed beside close().
  void expect_close(const Pass& a, const Pass& b, double relative) const {
    ASSERT_EQ(a.values.scalar_type(), GetParam());
    EXPECT_LT(max_difference(a.values, b.values), close());
    ASSERT_EQ(a.entropy.defined(), b.entropy.defined());
    if (a.entropy.defined()) {
      EXPECT_LT(max_difference(a.entropy, b.entropy), close());
    }
    ASSERT_EQ(a.gradients.size(), b.gradients.size());
    for (std::size_t i = 0; i < a.gradients.size(); ++i) {
      const auto& [name, gradient] = b.gradients[i];
      ASSERT_EQ(a.gradients[i].first, name);
      EXPECT_LT(max_difference(a.gradients[i].second, gradient),
                close() + relative * gradient.abs().max().item<double>())
          << name;
    }
  }
};

inline const auto kBothTypes = ::testing::Values(at::kFloat, at::kDouble);

inline std::string type_name(const ::testing::TestParamInfo<at::ScalarType>& type) {
  return type.param == at::kDouble ? "f64" : "f32";
}

}  // namespace hone::rl::testing
