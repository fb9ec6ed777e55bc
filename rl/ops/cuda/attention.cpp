// bf16 goes through libtorch's varlen flash kernel; f32, and heads that it does not take, through
// plain f32 products of one sequence at a time: exact, and as slow as that is.
#include <ATen/TensorOperators.h>
#include <ATen/ops/_flash_attention_backward.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "rl/ops/cuda/ops.h"
#include "rl/ops/cuda/segment_index.h"
#include "rl/ops/cuda/tensors.h"

namespace hone::rl::cuda {
namespace {

template <class T>
at::Tensor on_device(std::vector<T>& values, at::ScalarType type, at::Device device) {
  return at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, type).to(device);
}

const SegmentIndex& index_of(const Segments& segments, at::Device device) {
  if (!segments.on_device)
    segments.on_device = std::make_shared<const SegmentIndex>(index_segments(segments, device));
  return *segments.on_device;
}

bool flash_takes(const at::Tensor& qkv, const HeadShape& s) {
  return qkv.scalar_type() == at::kBFloat16 && s.dim % 8 == 0 && s.dim <= 256;
}

struct Parts {
  at::Tensor q, k, v;  // [T, heads, dim], [keys, kv_heads, dim] twice
};

Parts parts_of(const at::Tensor& qkv, const SegmentIndex& index, const HeadShape& s) {
  const std::int64_t T = qkv.size(0), q = s.heads * s.dim, kv = s.kv_heads * s.dim;
  auto of_keys = qkv.narrow(1, q, 2 * kv);
  if (index.rows.defined()) of_keys = at::index_select(of_keys, 0, index.rows);
  const auto part = [&](const at::Tensor& rows, std::int64_t from, std::int64_t heads) {
    return rows.narrow(1, from, heads * s.dim).unflatten(1, {heads, s.dim});
  };
  TORCH_CHECK(T == index.tokens, "segments of ", index.tokens, " tokens for ", T, " rows");
  return {part(qkv, 0, s.heads), part(of_keys, 0, s.kv_heads), part(of_keys, kv, s.kv_heads)};
}

std::optional<std::int64_t> window_left(const HeadShape& s) {
  return s.window > 0 ? std::optional(s.window - 1) : std::nullopt;
}
std::optional<std::int64_t> window_right(const HeadShape& s) {
  return s.window > 0 ? std::optional<std::int64_t>(0) : std::nullopt;
}

// --- plain products
// -------------------------------------------------------------------------------

/// One sequence's parts as batches of heads, keys and values repeated for the heads that share
/// them.
struct Plain {
  at::Tensor q, k, v;  // [heads, queries, dim], [heads, keys, dim] twice, f32
  at::Tensor hidden;   // [queries, keys]
};

Plain plain(const Parts& p, const SegmentIndex::Sequence& s, const HeadShape& shape) {
  const std::int64_t group = shape.heads / shape.kv_heads;
  const auto batch = [&](const at::Tensor& t, std::int64_t from, std::int64_t count,
                         std::int64_t repeat) {
    const auto heads = t.narrow(0, from, count).transpose(0, 1).to(at::kFloat);
    return (repeat > 1 ? heads.repeat_interleave(repeat, 0) : heads).contiguous();
  };
  // A query's place among the keys: the sequence's queries are its last.
  const auto options = p.q.options().dtype(at::kLong);
  const auto query = at::arange(s.keys - s.queries, s.keys, options).unsqueeze(1),
             key = at::arange(s.keys, options).unsqueeze(0);
  auto hidden = key > query;
  if (shape.window > 0) hidden = hidden.logical_or(key <= query - shape.window);
  return {batch(p.q, s.query, s.queries, 1), batch(p.k, s.key, s.keys, group),
          batch(p.v, s.key, s.keys, group), hidden};
}

at::Tensor scores(const Plain& p, const HeadShape& shape) {
  return at::bmm(p.q, p.k.transpose(1, 2))
      .mul_(1 / std::sqrt(static_cast<double>(shape.dim)))
      .masked_fill_(p.hidden, -std::numeric_limits<double>::infinity());
}

at::Tensor plain_attention(const Parts& p, const SegmentIndex& index, const HeadShape& shape,
                           at::Tensor* lse) {
  auto out = at::empty(p.q.sizes(), p.q.options());  // [T, heads, dim]
  if (lse) *lse = at::empty({shape.heads, p.q.size(0)}, p.q.options().dtype(at::kFloat));
  for (const auto& s : index.sequences) {
    const auto one = plain(p, s, shape);
    const auto x = scores(one, shape);
    const auto sum = at::logsumexp(x, {2}, /*keepdim=*/true);
    out.narrow(0, s.query, s.queries).copy_(at::bmm((x - sum).exp(), one.v).transpose(0, 1));
    if (lse) lse->narrow(1, s.query, s.queries).copy_(sum.squeeze(2));
  }
  return out;
}

struct Gradients {
  at::Tensor q, k, v;  // as Parts
};

Gradients plain_backward(const at::Tensor& dout, const Parts& p, const at::Tensor& out,
                         const SegmentIndex& index, const HeadShape& shape, const at::Tensor& lse) {
  Gradients g{at::empty(p.q.sizes(), p.q.options()), at::empty(p.k.sizes(), p.k.options()),
              at::empty(p.v.sizes(), p.v.options())};
  const double scale = 1 / std::sqrt(static_cast<double>(shape.dim));
  for (const auto& s : index.sequences) {
    const auto one = plain(p, s, shape);
    const auto queries = [&](const at::Tensor& t) {
      return t.narrow(0, s.query, s.queries).transpose(0, 1).to(at::kFloat).contiguous();
    };
    const auto weights =
        (scores(one, shape) - lse.narrow(1, s.query, s.queries).unsqueeze(2)).exp();
    const auto d = queries(dout);  // [heads, queries, dim]
    const auto pull = (d * queries(out)).sum(2, /*keepdim=*/true);
    const auto dscores = weights * (at::bmm(d, one.v.transpose(1, 2)) - pull) * scale;
    const auto of_keys = [&](const at::Tensor& t) {  // [heads, keys, dim] to [keys, kv_heads, dim]
      return t.unflatten(0, {shape.kv_heads, shape.heads / shape.kv_heads}).sum(1).transpose(0, 1);
    };
    g.q.narrow(0, s.query, s.queries).copy_(at::bmm(dscores, one.k).transpose(0, 1));
    g.k.narrow(0, s.key, s.keys).copy_(of_keys(at::bmm(dscores.transpose(1, 2), one.q)));
    g.v.narrow(0, s.key, s.keys).copy_(of_keys(at::bmm(weights.transpose(1, 2), d)));
  }
  return g;
}

}  // namespace

SegmentIndex index_segments(const Segments& segments, at::Device device) {
  SegmentIndex index;
  std::vector<std::int32_t> queries{0}, keys{0};
  std::vector<std::int64_t> rows;
  bool shared = false;
  const auto add = [&](std::int64_t query, std::int64_t count, std::int64_t prompt_start,
                       std::int64_t prompt) {
    const auto from = static_cast<std::int64_t>(rows.size());
    for (std::int64_t i = 0; i < prompt; ++i) rows.push_back(prompt_start + i);
    for (std::int64_t i = 0; i < count; ++i) rows.push_back(query + i);
    shared = shared || prompt > 0;
    queries.push_back(static_cast<std::int32_t>(query + count));
    keys.push_back(static_cast<std::int32_t>(rows.size()));
    index.sequences.push_back({query, count, from, prompt + count});
    index.most_queries = std::max(index.most_queries, count);
    index.most_keys = std::max(index.most_keys, prompt + count);
    index.tokens += count;
  };
  for (const auto& segment : segments) {
    const auto said = std::ranges::count_if(segment.responses, [](auto n) { return n > 0; });
    if (said <= 1) {  // a lone response goes on where its prompt ends: one sequence
      add(segment.start, segment.tokens(), 0, 0);
      continue;
    }
    add(segment.start, segment.prompt, 0, 0);
    std::int64_t at = segment.start + segment.prompt;
    for (const auto count : segment.responses) {
      if (count > 0) add(at, count, segment.start, segment.prompt);
      at += count;
    }
  }
  index.queries = on_device(queries, at::kInt, device);
  index.keys = on_device(keys, at::kInt, device);
  if (!shared) return index;
  // Which keys a trunk row became, in ascending order: counting sort.
  std::vector<std::int32_t> first(static_cast<std::size_t>(index.tokens) + 1, 0),
      which(rows.size());
  for (const auto row : rows) ++first[static_cast<std::size_t>(row) + 1];
  for (std::size_t t = 1; t < first.size(); ++t) first[t] += first[t - 1];
  auto next = first;
  for (std::size_t k = 0; k < rows.size(); ++k)
    which[static_cast<std::size_t>(next[static_cast<std::size_t>(rows[k])]++)] =
        static_cast<std::int32_t>(k);
  index.rows = on_device(rows, at::kLong, device);
  index.first = on_device(first, at::kInt, device);
  index.which = on_device(which, at::kInt, device);
  return index;
}

at::Tensor attention(const at::Tensor& qkv, const Segments& segments, const HeadShape& shape,
                     AttentionTrace* trace) {
  const auto& index = index_of(segments, qkv.device());
  const auto parts = parts_of(qkv, index, shape);
  if (!flash_takes(qkv, shape))
    return plain_attention(parts, index, shape, trace ? &trace->lse : nullptr).flatten(1);
  const auto [out, lse, random, unused, mask] = at::_flash_attention_forward(
      parts.q, parts.k, parts.v, index.queries, index.keys, index.most_queries, index.most_keys,
      /*dropout_p=*/0, /*is_causal=*/true, /*return_debug_mask=*/false, std::nullopt,
      window_left(shape), window_right(shape));
  if (trace) {
    trace->lse = lse;
    trace->random = random;
    trace->unused = unused;
  }
  return out.flatten(1);
}

at::Tensor attention_backward(const at::Tensor& dout, const at::Tensor& qkv, const at::Tensor& out,
                              const Segments& segments, const HeadShape& shape,
                              const AttentionTrace& trace) {
  const auto& index = index_of(segments, qkv.device());
  const auto parts = parts_of(qkv, index, shape);
  const auto heads = [&](const at::Tensor& t) {
    return t.contiguous().view({t.size(0), shape.heads, shape.dim});
  };
  Gradients g;
  if (flash_takes(qkv, shape))
    std::tie(g.q, g.k, g.v) = at::_flash_attention_backward(
        heads(dout), parts.q, parts.k, parts.v, heads(out), trace.lse, index.queries, index.keys,
        index.most_queries, index.most_keys, /*dropout_p=*/0, /*is_causal=*/true, trace.random,
        trace.unused, std::nullopt, window_left(shape), window_right(shape));
  else
    g = plain_backward(heads(dout), parts, heads(out), index, shape, trace.lse);
  auto dqkv = at::empty(qkv.sizes(), qkv.options());
  const auto whole = [](const at::Tensor& t) { return t.contiguous(); };
  const auto q = whole(g.q), k = whole(g.k), v = whole(g.v);
  const bool shared = index.rows.defined();
  gather_gradients(numbers(q), numbers(k), numbers(v), numbers(dqkv),
                   shared ? index.first.const_data_ptr<std::int32_t>() : nullptr,
                   shared ? index.which.const_data_ptr<std::int32_t>() : nullptr, qkv.size(0),
                   shape.heads * shape.dim, shape.kv_heads * shape.dim, stream());
  return dqkv;
}

}  // namespace hone::rl::cuda
