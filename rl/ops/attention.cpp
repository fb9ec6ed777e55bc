#include "rl/ops/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/zeros_like.h>

#include <numeric>

namespace hone::rl {
namespace {

// The flash operator wants [batch, heads, tokens, dim] with as many heads in K as in Q. With grouped
// heads the KV heads stand as the batch and each group as the heads; K and V are expanded views with
// stride 0, so nothing is copied.
struct Views {
  at::Tensor q, k, v;
};

at::Tensor heads_view(const at::Tensor& rows, std::int64_t column, const HeadShape& s, std::int64_t heads) {
  const std::int64_t group = heads / s.kv_heads;
  return rows.narrow(1, column, heads * s.dim).unflatten(1, {s.kv_heads, group, s.dim}).permute({1, 2, 0, 3});
}

/// Queries of rows [q_from, +q_count) against keys of rows [k_from, +k_count).
Views views(const at::Tensor& qkv, const HeadShape& s, std::int64_t q_from, std::int64_t q_count, std::int64_t k_from,
            std::int64_t k_count) {
  const std::int64_t group = s.heads / s.kv_heads;
  const auto keys = qkv.narrow(0, k_from, k_count);
  const auto expand = [&](const at::Tensor& t) { return t.expand({s.kv_heads, group, k_count, s.dim}); };
  return {heads_view(qkv.narrow(0, q_from, q_count), 0, s, s.heads),
          expand(heads_view(keys, s.heads * s.dim, s, s.kv_heads)),
          expand(heads_view(keys, (s.heads + s.kv_heads) * s.dim, s, s.kv_heads))};
}

at::Tensor out_view(const at::Tensor& out, const HeadShape& s, std::int64_t from, std::int64_t count) {
  return heads_view(out.narrow(0, from, count), 0, s, s.heads);
}

/// Output [kv_heads, group, rows, dim] and log-sum-exp [kv_heads, group, rows] of one call.
struct Part {
  at::Tensor out, lse;
};

Part flash(const Views& in, bool causal) {
  auto [out, lse] = at::_scaled_dot_product_flash_attention_for_cpu(in.q, in.k, in.v, 0.0, causal);
  return {out, lse};
}

/// Adds one call's gradients to dqkv.
void flash_backward(const at::Tensor& qkv, at::Tensor dqkv, const at::Tensor& dout, const at::Tensor& out,
                    const at::Tensor& lse, const HeadShape& s, std::int64_t q_from, std::int64_t q_count,
                    std::int64_t k_from, std::int64_t k_count, bool causal) {
  const auto in = views(qkv, s, q_from, q_count, k_from, k_count);
  const auto [dq, dk, dv] =
      at::_scaled_dot_product_flash_attention_for_cpu_backward(dout, in.q, in.k, in.v, out, lse, 0.0, causal);
  heads_view(dqkv.narrow(0, q_from, q_count), 0, s, s.heads).add_(dq);
  const auto keys = dqkv.narrow(0, k_from, k_count);
  const auto add_group = [&](const at::Tensor& grad, std::int64_t column) {
    heads_view(keys, column, s, s.kv_heads).add_(s.heads == s.kv_heads ? grad : grad.sum({1}, true));
  };
  add_group(dk, s.heads * s.dim);
  add_group(dv, (s.heads + s.kv_heads) * s.dim);
}

std::int64_t response_tokens(const Segment& segment) {
  return std::accumulate(segment.responses.begin(), segment.responses.end(), std::int64_t{0});
}

/// One response continues its prompt as in plain causal attention: nothing to share, nothing to merge.
bool is_plain(const Segment& segment) {
  std::size_t with_tokens = 0;
  for (const auto length : segment.responses) with_tokens += length > 0;
  return with_tokens <= 1;
}

}  // namespace

std::int64_t Segment::tokens() const { return prompt + response_tokens(*this); }

at::Tensor attention(const at::Tensor& qkv, const std::vector<Segment>& segments, const HeadShape& s,
                     AttentionTrace* trace) {
  auto out = at::empty({qkv.size(0), s.heads * s.dim}, qkv.options());
  for (const auto& segment : segments) {
    if (is_plain(segment)) {
      const std::int64_t n = segment.tokens();
      const auto part = flash(views(qkv, s, segment.start, n, segment.start, n), true);
      out_view(out, s, segment.start, n).copy_(part.out);
      if (trace) trace->lse.insert(trace->lse.end(), {part.lse, at::Tensor()});
      continue;
    }
    const std::int64_t P = segment.prompt, first = segment.start + P, R = response_tokens(segment);
    const auto prompt = flash(views(qkv, s, segment.start, P, segment.start, P), true);
    out_view(out, s, segment.start, P).copy_(prompt.out);

    // Each response's softmax runs over two sets of keys, computed apart and merged by log-sum-exp:
    // L = log(e^LA + e^LB), O = e^(LA-L) OA + e^(LB-L) OB. All responses ask the prompt in one call.
    const auto across = flash(views(qkv, s, first, R, segment.start, P), false);
    auto merged = at::empty({R, s.kv_heads, s.heads / s.kv_heads}, qkv.options()).permute({1, 2, 0});
    std::int64_t at_row = 0;
    for (const auto length : segment.responses) {
      if (length == 0) continue;
      const auto own = flash(views(qkv, s, first + at_row, length, first + at_row, length), true);
      const auto across_lse = across.lse.narrow(2, at_row, length);
      const auto lse = at::logaddexp(across_lse, own.lse);
      const auto target = out_view(out, s, first + at_row, length);
      target.copy_(across.out.narrow(2, at_row, length)).mul_((across_lse - lse).exp_().unsqueeze(-1));
      target.addcmul_(own.out, (own.lse - lse).exp_().unsqueeze(-1));
      merged.narrow(2, at_row, length).copy_(lse);
      at_row += length;
    }
    if (trace) trace->lse.insert(trace->lse.end(), {prompt.lse, merged});
  }
  return out;
}

at::Tensor attention_backward(const at::Tensor& dout, const at::Tensor& qkv, const at::Tensor& out,
                              const std::vector<Segment>& segments, const HeadShape& s, const AttentionTrace& trace) {
  auto dqkv = at::zeros_like(qkv);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto& segment = segments[i];
    const auto& lse = trace.lse[2 * i];
    const auto& merged = trace.lse[2 * i + 1];
    const auto go = [&](std::int64_t q_from, std::int64_t q_count, std::int64_t k_from, std::int64_t k_count,
                        const at::Tensor& l, bool causal) {
      flash_backward(qkv, dqkv, out_view(dout, s, q_from, q_count), out_view(out, s, q_from, q_count), l, s, q_from,
                     q_count, k_from, k_count, causal);
    };
    if (is_plain(segment)) {
      go(segment.start, segment.tokens(), segment.start, segment.tokens(), lse, true);
      continue;
    }
    // P_ij = exp(s_ij - L) and D_i = dO_i . O_i know only the merged L and O, so every part's backward
    // is called with those, and the parts' gradients add up to the whole's.
    const std::int64_t P = segment.prompt, first = segment.start + P, R = response_tokens(segment);
    go(segment.start, P, segment.start, P, lse, true);
    go(first, R, segment.start, P, merged, false);
    std::int64_t at_row = 0;
    for (const auto length : segment.responses) {
      if (length > 0) go(first + at_row, length, first + at_row, length, merged.narrow(2, at_row, length), true);
      at_row += length;
    }
  }
  return dqkv;
}

}  // namespace hone::rl
