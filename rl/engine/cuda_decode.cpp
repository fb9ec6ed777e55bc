// A step on a CUDA device. Its some two hundred kernels would take longer to start than to run, so
// a step of a given shape is captured once as a graph and started as one; what changes from step to
// step lies in a buffer that the graph reads.
#include <ATen/cuda/CUDAGraph.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>

#include "feedback/base/error.h"
#include "rl/engine/decode.h"
#include "rl/model/forward.h"
#include "rl/ops/cuda/tensors.h"
#include "rl/ops/matmul.h"

namespace hone::rl::cuda {
namespace {

/// One for the process: its allocator keeps memory by stream.
c10::cuda::CUDAStream decode_stream() {
  static const auto stream = c10::cuda::getStreamFromPool();
  return stream;
}

/// A few sizes, so that a few graphs serve: powers of two and the numbers halfway between.
std::int64_t rounded_up(std::int64_t n) {
  const auto whole = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(n)));
  return n <= whole / 4 * 3 && whole >= 4 ? whole / 4 * 3 : whole;
}

/// The same of keys, from a piece's worth on.
std::int64_t rounded_keys(std::int64_t n) { return rounded_up(std::max<std::int64_t>(n, 256)); }

class CudaDecodeCache : public DecodeCache {
 public:
  CudaDecodeCache(const Model& model, const DecodeShape& shape)
      : model_(model),
        shape_(shape),
        heads_(model.head_shape(0)),
        type_(model.blocks[0].qkv.weight.input_type()),
        most_rows_(rounded_up(shape.slots)) {
    const c10::cuda::CUDAStreamGuard guard(decode_stream());
    const auto options = at::TensorOptions(model.device());
    own_ = at::empty({model.config.num_hidden_layers, shape.slots,
                      2 * heads_.kv_heads * shape.capacity * heads_.dim},
                     options.dtype(type_));
    const auto bytes =
        most_rows_ * static_cast<std::int64_t>(sizeof(Row) + 2 * sizeof(std::int64_t));
    told_ = at::empty({bytes}, options.dtype(at::kByte));
    telling_ = at::empty({bytes}, at::TensorOptions(at::kByte).pinned_memory(true));
    together_ = decode_together(cache_of(0));
    for (std::size_t layer = 1; layer < model.blocks.size(); ++layer)
      together_ = std::min(together_, decode_together(cache_of(layer)));
    tickets_ = at::zeros({decode_tickets(cache_of(0), most_rows_)}, options.dtype(at::kInt));
    const auto drawn_bytes =
        most_rows_ * static_cast<std::int64_t>(sizeof(std::int64_t) + sizeof(float));
    drawn_ = at::empty({drawn_bytes}, options.dtype(at::kByte));
    reading_ = at::empty({drawn_bytes}, at::TensorOptions(at::kByte).pinned_memory(true));
  }

  void run(const std::function<void()>& body) override {
    c10::cuda::device_synchronize();  // the weights have been written on another stream
    const c10::cuda::CUDAStreamGuard guard(decode_stream());
    const EarlyStarts early;  // nothing writes weights while samples are drawn
    body();
    decode_stream().synchronize();
  }

  PromptCache make_prompt(std::int64_t tokens) const override {
    PromptCache cache;
    cache.tokens = tokens;
    cache.kv =
        at::empty({model_.config.num_hidden_layers, 2 * heads_.kv_heads * tokens * heads_.dim},
                  own_.options());
    return cache;
  }

  void store_prompt(std::size_t layer, const at::Tensor& qkv, std::int64_t from,
                    PromptCache& prompt) const override {
    cuda::store_prompt(numbers(qkv.narrow(0, from, prompt.tokens)),
                       prompt.kv.select(0, static_cast<std::int64_t>(layer)).data_ptr(),
                       cache_of(layer), prompt.tokens, prompt.tokens, stream());
  }

  std::vector<Choice> choose(const at::Tensor& logits, std::span<const Draw> draws) override {
    std::vector<Choice> out;
    for (std::size_t from = 0; from < draws.size(); from += static_cast<std::size_t>(most_rows_)) {
      const auto some =
          draws.subspan(from, std::min(draws.size() - from, static_cast<std::size_t>(most_rows_)));
      const auto B = static_cast<std::int64_t>(some.size());
      for (std::int64_t b = 0; b < B; ++b) {
        Row row;
        row.slot = 0;
        tell(b, row, some[static_cast<std::size_t>(b)], 0, 0);
      }
      send();
      const auto rows = logits.narrow(0, static_cast<std::int64_t>(from), B);
      draw(rows, B);
      read(rows, some, out);
    }
    return out;
  }

  std::vector<Choice> step(std::span<const DecodeRow> rows) override {
    const auto B = static_cast<std::int64_t>(rows.size());
    std::vector<Row> told;
    std::vector<Draw> draws;
    std::size_t leader = 0;  // of the rows that read a prompt together
    std::int64_t prompt_tokens = 1, own_tokens = 1;
    for (const auto& row : rows) {
      Row now;
      now.prompt = row.prompt->kv.const_data_ptr();
      now.prompt_tokens = static_cast<std::int32_t>(row.prompt->tokens);
      now.own_tokens = static_cast<std::int32_t>(row.own);
      now.slot = static_cast<std::int32_t>(row.slot);
      if (!told.empty() && told[leader].prompt == now.prompt && told[leader].together < together_) {
        ++told[leader].together;
        now.together = 0;
      } else {
        leader = told.size();
      }
      told.push_back(now);
      draws.push_back(row.draw);
      prompt_tokens = std::max(prompt_tokens, row.prompt->tokens);
      own_tokens = std::max(own_tokens, row.own);
    }
    for (std::int64_t b = 0; b < B; ++b) {
      const auto& row = rows[static_cast<std::size_t>(b)];
      tell(b, told[static_cast<std::size_t>(b)], row.draw, row.last,
           row.prompt->tokens + row.own - 1);
    }
    const DecodeSize key{std::min(rounded_up(B), most_rows_), rounded_keys(prompt_tokens),
                         rounded_keys(own_tokens)};
    static const SamplingOptions none;
    for (std::int64_t b = B; b < key.rows; ++b) tell(b, {}, {&none, 0, {}, {}}, 0, 0);
    send();
    auto& step = steps_[key];
    if (step.graph) {
      step.graph->replay();
    } else if (++step.times <= kBeforeCapture) {
      step.logits = compute(key);
    } else {
      step.graph = std::make_unique<at::cuda::CUDAGraph>();
      step.graph->capture_begin();
      step.logits = compute(key);
      step.graph->capture_end();
      step.graph->replay();
    }
    std::vector<Choice> out;
    read(step.logits, draws, out);
    if (!step.graph) step.logits = at::Tensor();
    return out;
  }

 private:
  struct Step {
    int times = 0;
    std::unique_ptr<at::cuda::CUDAGraph> graph;
    at::Tensor logits;  // [rows,V] f32
  };
  // A capture costs some steps' time; the first steps also make what may not be made in a capture.
  static constexpr int kBeforeCapture = 3;

  // One buffer: rows, then last ids, then positions.
  std::int64_t ids_at() const { return most_rows_ * static_cast<std::int64_t>(sizeof(Row)); }
  std::int64_t positions_at() const {
    return ids_at() + most_rows_ * static_cast<std::int64_t>(sizeof(std::int64_t));
  }
  at::Tensor told_numbers(std::int64_t at, std::int64_t count) const {
    return told_.narrow(0, at, count * static_cast<std::int64_t>(sizeof(std::int64_t)))
        .view(at::kLong);
  }
  std::int64_t* ids_of(const at::Tensor& drawn) const {
    return static_cast<std::int64_t*>(drawn.data_ptr());
  }
  float* logprobs_of(const at::Tensor& drawn) const {
    return reinterpret_cast<float*>(ids_of(drawn) + most_rows_);
  }
  const Row* told_rows() const { return static_cast<const Row*>(told_.const_data_ptr()); }

  void tell(std::int64_t b, Row row, const Draw& draw, std::int64_t id, std::int64_t position) {
    row.temperature = static_cast<float>(draw.options->temperature);
    row.uniform = draw.uniform;
    auto* to = static_cast<std::uint8_t*>(telling_.data_ptr());
    std::memcpy(to + static_cast<std::size_t>(b) * sizeof(Row), &row, sizeof row);
    std::memcpy(to + ids_at() + b * 8, &id, 8);
    std::memcpy(to + positions_at() + b * 8, &position, 8);
  }

  void send() { told_.copy_(telling_, /*non_blocking=*/true); }

  Cache cache_of(std::size_t layer) const {
    const auto heads = model_.head_shape(layer);
    return {own_.data_ptr(),
            type_ == at::kBFloat16,
            static_cast<std::int64_t>(layer),
            shape_.slots,
            shape_.capacity,
            heads.heads,
            heads.kv_heads,
            heads.dim,
            heads.window};
  }

  void draw(const at::Tensor& logits, std::int64_t B) {
    auto scratch = at::empty({choose_scratch(B, logits.size(1))}, logits.options());
    cuda::choose(floats(logits), told_rows(), ids_of(drawn_), logprobs_of(drawn_), floats(scratch),
                 B, logits.size(1), stream());
  }

  /// All of a step's kernels, by what was told.
  at::Tensor compute(const DecodeSize& key) {
    const auto attend = [&](std::size_t layer, const at::Tensor& qkv) {
      const auto cache = cache_of(layer);
      const auto options = qkv.options();
      auto out = at::empty({key.rows, cache.heads * cache.dim}, options);
      auto scratch = at::empty({decode_scratch(cache, key)}, options.dtype(at::kFloat));
      decode_attention(numbers(qkv), told_rows(), cache, numbers(out), floats(scratch),
                       tickets_.data_ptr<int>(), key, stream());
      return out;
    };
    const auto x = forward(model_, told_numbers(ids_at(), key.rows),
                           told_numbers(positions_at(), key.rows), attend);
    const auto logits = logits_of(model_, x);
    draw(logits, key.rows);
    return logits;
  }

  /// What was drawn, once it is there. Where likely tokens alone may be drawn, or some were seen
  /// before, the CPU draws.
  void read(const at::Tensor& logits, std::span<const Draw> draws, std::vector<Choice>& out) {
    reading_.copy_(drawn_, /*non_blocking=*/true);
    decode_stream().synchronize();
    const auto* ids = ids_of(reading_);
    const auto* logprobs = logprobs_of(reading_);
    for (std::size_t b = 0; b < draws.size(); ++b) {
      const auto& o = *draws[b].options;
      if (o.top_p < 1 || o.top_k > 0 || o.min_p > 0 || o.repetition_penalty != 1) {
        const auto row = logits.select(0, static_cast<std::int64_t>(b)).cpu();
        out.push_back(choose_token(row.const_data_ptr<float>(), row.size(0), o, draws[b].uniform,
                                   scratch_, {draws[b].prompt, draws[b].sample}));
        continue;
      }
      const auto id = ids[b];
      if (id < 0)
        throw Error(Code::Invalid,
                    "the model's output is not finite: its weights are damaged or diverged");
      out.push_back({id, logprobs[b]});
    }
  }

  const Model& model_;
  DecodeShape shape_;
  HeadShape heads_;  // of the cache; windows differ by layer
  at::ScalarType type_;
  std::int64_t most_rows_;
  std::int32_t together_ = 1;   // rows that may read a prompt together
  at::Tensor own_;              // [layers][slots][kv_heads][2][capacity][dim]
  at::Tensor told_, telling_;   // on the device, on the host
  at::Tensor tickets_;          // of decode_attention
  at::Tensor drawn_, reading_;  // ids, then log-probabilities: on the device, on the host
  std::map<DecodeSize, Step> steps_;
  std::vector<float> scratch_;
};

}  // namespace

std::unique_ptr<DecodeCache> make_decode_cache(const Model& model, const DecodeShape& shape) {
  return std::make_unique<CudaDecodeCache>(model, shape);
}

}  // namespace hone::rl::cuda
