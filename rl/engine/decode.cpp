#include "rl/engine/decode.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <optional>

#include "rl/model/forward.h"
#include "rl/ops/coarse_head.h"
#include "rl/ops/decode_attention.h"
#include "rl/ops/few_rows.h"
#include "rl/ops/matmul.h"

namespace hone::rl {
namespace {

class CpuDecodeCache : public DecodeCache {
 public:
  CpuDecodeCache(const Model& model, const DecodeShape& shape)
      : model_(model), heads_(model.head_shape(0)), capacity_(shape.capacity) {
    piece_ = 2 * heads_.kv_heads * capacity_ * heads_.dim;
    own_ = at::empty({model.config.num_hidden_layers, shape.slots, piece_}, at::kFloat);
    // Few samples at once: a step's time is that of reading the weights, so the head is read in
    // half.
    const bool rounded = !model.blocks.empty() &&
                         model.blocks[0].down.weight.operand().scalar_type() == at::kBFloat16;
    const auto& head = model.output().value;
    if (rounded && head.scalar_type() == at::kFloat && shape.slots <= most_few_rows(true))
      coarse_.emplace(head);
  }

  PromptCache make_prompt(std::int64_t tokens) const override {
    PromptCache cache;
    cache.tokens = tokens;
    cache.kv = at::empty(
        {model_.config.num_hidden_layers, 2 * heads_.kv_heads * tokens * heads_.dim}, at::kFloat);
    return cache;
  }

  void store_prompt(std::size_t layer, const at::Tensor& qkv, std::int64_t from,
                    PromptCache& prompt) const override {
    store_kv(qkv.const_data_ptr<float>() + from * qkv.size(1), prompt.tokens, heads_,
             prompt.kv.data_ptr<float>() + static_cast<std::int64_t>(layer) * prompt.kv.size(1),
             prompt.tokens, 0);
  }

  std::vector<Choice> choose(const at::Tensor& logits, std::span<const Draw> draws) override {
    return choose_each(logits, draws.size(), [&](std::size_t b) { return draws[b]; });
  }

  std::vector<Choice> step(std::span<const DecodeRow> rows) override {
    const auto B = static_cast<std::int64_t>(rows.size());
    auto ids = at::empty({B}, at::kLong), positions = at::empty({B}, at::kLong);
    std::vector<KvPair> sequences(rows.size());
    std::vector<double> temperatures;
    for (std::size_t b = 0; b < rows.size(); ++b) {
      const auto& row = rows[b];
      ids.data_ptr<std::int64_t>()[b] = row.last;
      positions.data_ptr<std::int64_t>()[b] = row.prompt->tokens + row.own - 1;
      sequences[b].prompt = {nullptr, row.prompt->tokens, row.prompt->tokens};
      sequences[b].own = {nullptr, row.own, capacity_};
      temperatures.push_back(row.draw.options->temperature);
    }
    const auto attend = [&](std::size_t layer, const at::Tensor& qkv) {
      const auto l = static_cast<std::int64_t>(layer);
      for (std::size_t b = 0; b < rows.size(); ++b) {
        const auto& kv = rows[b].prompt->kv;
        float* own = own_.data_ptr<float>() +
                     (l * own_.size(1) + static_cast<std::int64_t>(rows[b].slot)) * piece_;
        sequences[b].prompt.data = kv.const_data_ptr<float>() + l * kv.size(1);
        sequences[b].own.data = own;
        store_kv(qkv.const_data_ptr<float>() + static_cast<std::int64_t>(b) * qkv.size(1), 1,
                 heads_, own, capacity_, sequences[b].own.tokens - 1);
      }
      return decode_attention(qkv, sequences, model_.head_shape(layer));
    };
    const auto x = rms_norm(forward(model_, ids, positions, attend), model_.norm.value,
                            model_.config.rms_norm_eps);  // [B,C]
    const auto logits = coarse_ ? coarse_->logits(x, temperatures)
                                : matmul_nt_f32(x, model_.output().value);  // [B,V]
    auto choices = choose_each(logits, rows.size(), [&](std::size_t b) { return rows[b].draw; });
    if (!coarse_) return choices;
    for (std::size_t b = 0; b < choices.size(); ++b) {
      // An unlikely token has a coarse logit; for any other this adds 0.
      auto& choice = choices[b];
      const double scale = temperatures[b] > 0 ? 1 / temperatures[b] : 1;
      const auto row = static_cast<std::int64_t>(b);
      const float exact = coarse_->exact(x.const_data_ptr<float>() + row * x.size(1), choice.id);
      const float coarse = logits.const_data_ptr<float>()[row * logits.size(1) + choice.id];
      choice.logprob += static_cast<float>((exact - coarse) * scale);
    }
    return choices;
  }

 private:
  template <class DrawOf>
  std::vector<Choice> choose_each(const at::Tensor& logits, std::size_t count, DrawOf draw_of) {
    const float* rows = logits.const_data_ptr<float>();
    const std::int64_t V = logits.size(1);
    std::vector<Choice> choices(count);
    at::parallel_for(
        0, static_cast<std::int64_t>(count), 1, [&](std::int64_t from, std::int64_t to) {
          std::vector<float> scratch;
          for (std::int64_t b = from; b < to; ++b) {
            const Draw draw = draw_of(static_cast<std::size_t>(b));
            choices[static_cast<std::size_t>(b)] = choose_token(
                rows + b * V, V, *draw.options, draw.uniform, scratch, {draw.prompt, draw.sample});
          }
        });
    return choices;
  }

  const Model& model_;
  HeadShape heads_;                    // of the cache; windows differ by layer
  std::int64_t capacity_, piece_ = 0;  // piece: numbers of one slot in one layer
  at::Tensor own_;                     // [layers][slots][kv_heads][2][capacity][dim]
  std::optional<CoarseHead> coarse_;
};

}  // namespace

std::unique_ptr<DecodeCache> make_decode_cache(const Model& model, const DecodeShape& shape) {
  if (model.device().is_cuda()) return cuda::make_decode_cache(model, shape);
  return std::make_unique<CpuDecodeCache>(model, shape);
}

std::int64_t decode_token_bytes(const Model& model) {
  const auto heads = model.head_shape(0);
  const bool rounded = model.device().is_cuda() && !model.blocks.empty() &&
                       model.blocks[0].qkv.weight.input_type() == at::kBFloat16;
  return model.config.num_hidden_layers * 2 * heads.kv_heads * heads.dim * (rounded ? 2 : 4);
}

}  // namespace hone::rl
