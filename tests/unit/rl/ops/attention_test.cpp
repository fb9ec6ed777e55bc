// Attention and its gradient against softmax written out in f64, one response at a time.
#include "rl/ops/attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include "tests/unit/rl/support/tiny_model.h"

namespace hone::rl {
namespace {

using namespace testing;

struct Case {
  HeadShape shape;
  std::vector<Segment> segments;
};

/// Rows of the segment in the order in which response `which` sees them; -1: the prompt alone.
std::vector<std::int64_t> rows_of(const Segment& segment, std::int64_t which) {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < segment.prompt; ++i) rows.push_back(segment.start + i);
  std::int64_t first = segment.start + segment.prompt;
  for (std::int64_t r = 0; r < which; ++r) first += segment.responses[static_cast<std::size_t>(r)];
  if (which >= 0)
    for (std::int64_t i = 0; i < segment.responses[static_cast<std::size_t>(which)]; ++i)
      rows.push_back(first + i);
  return rows;
}

at::Tensor plain_causal(const at::Tensor& qkv,
                        const HeadShape& s) {  // [n, ...] f64 to [n, heads * dim]
  const std::int64_t n = qkv.size(0), group = s.heads / s.kv_heads;
  const auto position = at::arange(n);
  const auto hidden = position.unsqueeze(0) > position.unsqueeze(1);
  std::vector<at::Tensor> heads;
  for (std::int64_t h = 0; h < s.heads; ++h) {
    const auto q = qkv.narrow(1, h * s.dim, s.dim),
               k = qkv.narrow(1, (s.heads + h / group) * s.dim, s.dim),
               v = qkv.narrow(1, (s.heads + s.kv_heads + h / group) * s.dim, s.dim);
    const auto scores = (at::matmul(q, k.t()) / std::sqrt(static_cast<double>(s.dim)))
                            .masked_fill(hidden, -INFINITY);
    heads.push_back(at::matmul(at::softmax(scores, -1), v));
  }
  return at::cat(heads, 1);
}

/// Output of every row, with gradient, each response beside a prompt of its own.
at::Tensor reference(const at::Tensor& qkv, const Case& c) {
  std::vector<at::Tensor> rows(static_cast<std::size_t>(qkv.size(0)));
  for (const auto& segment : c.segments)
    for (std::int64_t which = -1; which < static_cast<std::int64_t>(segment.responses.size());
         ++which) {
      const auto seen = rows_of(segment, which);
      const auto out = plain_causal(qkv.index_select(0, at::tensor(seen)), c.shape);
      for (std::size_t i = which < 0 ? 0 : static_cast<std::size_t>(segment.prompt);
           i < seen.size(); ++i)
        rows[static_cast<std::size_t>(seen[i])] = out.select(0, static_cast<std::int64_t>(i));
    }
  return at::stack(rows);
}

/// Lengths on both sides of a register's 16 and a block's 48; empty responses; grouped heads; a
/// head size that fills no register.
std::vector<Case> cases() {
  std::vector<Case> out;
  for (const HeadShape shape :
       {HeadShape{4, 2, 16}, HeadShape{3, 1, 64}, HeadShape{2, 2, 24}, HeadShape{4, 2, 8}}) {
    Case c{shape, {}};
    std::int64_t at = 0;
    for (const auto& [prompt, responses] :
         std::vector<std::pair<std::int64_t, std::vector<std::int64_t>>>{
             {1, {1, 2}}, {16, {15, 17}}, {17, {0, 3}}, {50, {48, 49, 1}}, {100, {}}, {5, {97}}}) {
      c.segments.push_back({at, prompt, responses});
      at += c.segments.back().tokens();
    }
    out.push_back(c);
  }
  return out;
}

std::int64_t tokens(const Case& c) { return c.segments.back().start + c.segments.back().tokens(); }

at::Tensor input(const Case& c) {
  return random_tensor({tokens(c), (c.shape.heads + 2 * c.shape.kv_heads) * c.shape.dim}, 5, 1.5);
}

/// Output and gradient in `type`, against f64; `close` is what rounding leaves.
void expect_plain(const Case& c, at::ScalarType type, double close) {
  const auto qkv = input(c).to(type);
  auto exact = qkv.to(at::kDouble, /*non_blocking=*/false, /*copy=*/true).set_requires_grad(true);
  const auto expected = reference(exact, c);
  AttentionTrace trace;
  const auto got = attention(qkv, c.segments, c.shape, &trace);
  EXPECT_EQ(got.scalar_type(), type);
  EXPECT_LT((got.to(at::kDouble) - expected).abs().max().item<double>(), close) << c.shape.dim;

  const auto dout = random_tensor({tokens(c), c.shape.heads * c.shape.dim}, 6, 1).to(type);
  expected.backward(dout.to(at::kDouble));
  const auto dqkv = attention_backward(dout, qkv, got, c.segments, c.shape, trace);
  const auto& exact_grad = exact.grad();
  EXPECT_LT((dqkv.to(at::kDouble) - exact_grad).abs().max().item<double>(),
            close * exact_grad.abs().max().item<double>() + close / 2)
      << c.shape.dim;
}

TEST(Attention, SharedPromptsEqualPlainCausalAttentionOfEachResponseWithGradients) {
  for (const auto& c : cases()) {
    expect_plain(c, at::kFloat, 2e-6);
    expect_plain(c, at::kDouble, 1e-14);
  }
}

TEST(Attention, TheSameBitsOnOneThreadAndOnThree) {
  const auto c = cases()[1];
  const auto qkv = input(c);
  const int before = at::get_num_threads();
  const auto both = [&](int threads) {
    at::set_num_threads(threads);
    AttentionTrace trace;
    const auto out = attention(qkv, c.segments, c.shape, &trace);
    return std::pair{out, attention_backward(out, qkv, out, c.segments, c.shape, trace)};
  };
  const auto one = both(1), three = both(3);
  at::set_num_threads(before);
  EXPECT_TRUE(at::equal(one.first, three.first));
  EXPECT_TRUE(at::equal(one.second, three.second));
}

TEST(Attention, LargeScoresDoNotOverflow) {
  const Case c{{2, 1, 16}, {{0, 20, {4, 4}}}};
  const auto qkv = input(c).mul_(40);  // scores of some thousand
  const auto got = attention(qkv, c.segments, c.shape);
  EXPECT_TRUE(got.isfinite().all().item<bool>());
  const auto expected = reference(qkv.to(at::kDouble), c);
  EXPECT_LT((got.to(at::kDouble) - expected).abs().max().item<double>(), 1e-2);
}

}  // namespace
}  // namespace hone::rl
