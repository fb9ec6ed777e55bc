// Small random models and rows for tests: big enough to have grouped heads, small enough for
// float64 patience.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstdint>
#include <map>

#include "rl/formats/config.h"
#include "rl/formats/tensor_source.h"
#include "rl/model/model.h"
#include "rl/model/score.h"
#include "rl/random/philox.h"

namespace hone::rl::testing {

struct TinyShape {
  std::int64_t heads = 4, kv_heads = 2, head_dim = 8, hidden = 32, intermediate = 48, layers = 2,
               vocab = 61;
  bool tied = true;
  bool biases = false;      ///< on every linear layer
  bool qk_norm = false;     ///< over each head of q and k
  std::int64_t window = 0;  ///< of the last layer
  bool unturned = false;    ///< the first layer gets no positions
  std::int64_t positions = 256;
};

inline ModelConfig tiny_config(const TinyShape& s = {}) {
  ModelConfig c;
  c.vocab_size = s.vocab;
  c.hidden_size = s.hidden;
  c.intermediate_size = s.intermediate;
  c.num_hidden_layers = s.layers;
  c.num_attention_heads = s.heads;
  c.num_key_value_heads = s.kv_heads;
  c.head_dim = s.head_dim;
  c.max_position_embeddings = s.positions;
  c.rms_norm_eps = 1e-5;
  c.tie_word_embeddings = s.tied;
  c.attention_bias = c.mlp_bias = s.biases;
  c.qk_norm = s.qk_norm;
  if (s.window != 0) {
    c.windows.assign(static_cast<std::size_t>(s.layers), 0);
    c.windows.back() = s.window;
  }
  if (s.unturned) {
    c.unturned.assign(static_cast<std::size_t>(s.layers), false);
    c.unturned.front() = true;
  }
  c.eos_token_ids = {2};
  return c;
}

inline at::Tensor random_tensor(std::vector<std::int64_t> shape, std::uint64_t which,
                                double scale) {
  auto out = at::empty(shape, at::kFloat);
  const Random random(11, Stream::Init);
  float* p = out.data_ptr<float>();
  for (std::int64_t i = 0; i < out.numel(); ++i)
    p[i] =
        static_cast<float>((2 * random.uniform(which, static_cast<std::uint64_t>(i)) - 1) * scale);
  return out;
}

/// Random weights under Hugging Face's names; norms around 1.
class RandomSource : public TensorSource {
 public:
  explicit RandomSource(const ModelConfig& config) : shapes_(expected_weights(config)) {}
  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  at::Tensor read_f32(const std::string& name) const override {
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      if (shapes_[i].name != name) continue;
      auto t = random_tensor(shapes_[i].shape, i, shapes_[i].shape.size() == 1 ? 0.3 : 0.25);
      return shapes_[i].shape.size() == 1 ? t.add_(1.0) : t;
    }
    throw std::runtime_error("no weight " + name);
  }

 private:
  std::vector<WeightShape> shapes_;
  std::vector<TensorInfo> infos_;
};

/// In f64 the same weights: models are read as f32.
inline Model tiny_model(const TinyShape& shape = {}, at::ScalarType type = at::kFloat) {
  const auto config = tiny_config(shape);
  auto model = load_model(config, RandomSource(config));
  for_each_weight(
      model, [&](const std::string&, Weight& weight) { weight.value = weight.value.to(type); });
  return model;
}

inline Ids random_ids(std::int64_t count, std::uint64_t which, std::int64_t vocab = 61) {
  const Random random(13, Stream::Sample);
  Ids ids;
  for (std::int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<std::int64_t>(
        random.below(static_cast<std::uint64_t>(vocab), which, static_cast<std::uint64_t>(i))));
  return ids;
}

/// Groups of unequal lengths, down to one token.
inline std::vector<Group> uneven_groups() {
  return {{random_ids(7, 1), {random_ids(5, 2), random_ids(3, 3)}},
          {random_ids(1, 4), {random_ids(1, 5), random_ids(9, 6)}},
          {random_ids(12, 7), {random_ids(1, 8), random_ids(1, 9)}},
          {random_ids(4, 10), {random_ids(6, 11), random_ids(2, 12), random_ids(8, 13)}}};
}

inline double max_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace hone::rl::testing
