#include "rl/ops/distill_head.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include "rl/ops/head.h"
#include "rl/ops/simd.h"
#include "rl/random/philox.h"

namespace hone::rl {
namespace {

at::Tensor numbers(std::vector<std::int64_t> shape, std::uint64_t which, double scale) {
  auto out = at::empty(shape, at::kFloat);
  const Random random(5, Stream::Init);
  for (std::int64_t i = 0; i < out.numel(); ++i)
    out.data_ptr<float>()[i] =
        static_cast<float>(scale * (2 * random.uniform(which, static_cast<std::uint64_t>(i)) - 1));
  return out;
}

at::Tensor leaf(const at::Tensor& x) { return x.to(at::kDouble).requires_grad_(true); }

double gap(const at::Tensor& got, const at::Tensor& exact) {
  return (got.to(at::kDouble) - exact).abs().max().item<double>() /
         std::max(1e-3, exact.abs().max().item<double>());
}

/// As TRL writes it, in f64.
at::Tensor expected(const at::Tensor& student, const at::Tensor& teacher, const DistillOptions& o) {
  const auto s = at::log_softmax(student / o.temperature, -1),
             t = at::log_softmax(teacher / o.temperature, -1);
  const auto kl = [](const at::Tensor& p, const at::Tensor& q) {
    return (p.exp() * (p - q)).sum(-1);
  };
  if (o.divergence == Divergence::ForwardKl) return kl(t, s);
  if (o.divergence == Divergence::ReverseKl) return kl(s, t);
  const auto m = at::logaddexp(s + std::log(1 - o.beta), t + std::log(o.beta));
  return o.beta * kl(t, m) + (1 - o.beta) * kl(s, m);
}

TEST(DistillHead, EqualsAutogradInF64WholeAndInChunks) {
  const std::int64_t N = 7, V = 1100;  // two blocks of sums and a rest
  const HeadRows student{numbers({N, 12}, 0, 2), numbers({V, 12}, 1, 1)},
      teacher{numbers({N, 20}, 2, 2), numbers({V, 20}, 3, 1)};
  const auto upstream = numbers({N}, 4, 1);
  std::vector<DistillOptions> all;
  for (const double temperature : {0.5, 1.0, 3.0}) {
    for (const auto kind : {Divergence::ForwardKl, Divergence::ReverseKl})
      all.push_back({.divergence = kind, .temperature = temperature});
    for (const double beta : {0.1, 0.5, 0.9})
      all.push_back({.divergence = Divergence::Jsd, .beta = beta, .temperature = temperature});
  }
  for (auto options : all) {
    const auto h = leaf(student.hidden), w = leaf(student.weight);
    const auto exact = expected(
        h.matmul(w.t()), teacher.hidden.to(at::kDouble).matmul(teacher.weight.to(at::kDouble).t()),
        options);
    (exact * upstream.to(at::kDouble)).sum().backward();
    at::Tensor first;
    for (const std::int64_t rows : {N, std::int64_t{3}, std::int64_t{1}}) {
      options.logits_bytes = rows * 2 * V * 4;
      DistillTrace trace;
      const auto got = distill_divergence(student, teacher, options, &trace);
      auto dweight = at::full_like(student.weight, 1.0 / 64);  // small: sums in f32
      const auto dhidden = distill_divergence_backward(upstream, dweight, options, trace);
      EXPECT_LT(gap(got, exact.detach()), 1e-5) << options.beta << " " << options.temperature;
      EXPECT_LT(gap(dhidden, h.grad()), 1e-4) << options.beta << " " << options.temperature;
      EXPECT_LT(gap(dweight - 1.0 / 64, w.grad()), 1e-4)
          << options.beta << " " << options.temperature;
      if (!first.defined()) first = got;
      EXPECT_LT(gap(got, first.to(at::kDouble)), 1e-6);
    }
  }
}

TEST(DistillHead, OfASideItselfIsNothing) {
  const HeadRows side{numbers({4, 12}, 0, 20), numbers({200, 12}, 1, 5)};  // logits of hundreds
  for (const auto kind : {Divergence::ForwardKl, Divergence::ReverseKl, Divergence::Jsd}) {
    DistillTrace trace;
    const auto value = distill_divergence(side, side, {.divergence = kind}, &trace);
    EXPECT_LT(value.abs().max().item<float>(), 1e-5);
    const auto d =
        distill_divergence_backward(at::ones_like(value), {}, {.divergence = kind}, trace);
    EXPECT_LT(d.abs().max().item<float>(), 1e-4);
  }
}

TEST(Head, TheEntropysGradientEqualsAutogradInF64) {
  const std::int64_t N = 6, V = 300;
  const auto hidden = numbers({N, 16}, 0, 2), weight = numbers({V, 16}, 1, 1),
             dlogprobs = numbers({N}, 2, 1), dentropy = numbers({N}, 3, 1);
  auto targets = at::empty({N}, at::kLong);
  for (std::int64_t i = 0; i < N; ++i) targets.data_ptr<std::int64_t>()[i] = 37 * i;
  for (const double temperature : {0.7, 1.0, 2.0}) {
    const auto h = leaf(hidden), w = leaf(weight);
    const auto p = at::log_softmax(h.matmul(w.t()) / temperature, -1);
    const auto entropy = -(p.exp() * p).sum(-1);
    const auto chosen = p.gather(1, targets.unsqueeze(1)).squeeze(1);
    (chosen * dlogprobs.to(at::kDouble) + entropy * dentropy.to(at::kDouble)).sum().backward();
    for (const std::int64_t rows : {N, std::int64_t{2}}) {
      const HeadOptions options{.temperature = temperature, .logits_bytes = rows * V * 4};
      HeadTrace trace;
      at::Tensor got;
      token_logprobs(hidden, weight, targets, options, &trace, &got);
      EXPECT_LT(gap(got, entropy.detach()), 1e-5);
      auto dweight = at::zeros({V, 16}, at::kFloat);
      const auto dhidden =
          token_logprobs_backward(dlogprobs, weight, dweight, options, trace, dentropy);
      EXPECT_LT(gap(dhidden, h.grad()), 1e-4) << temperature;
      EXPECT_LT(gap(dweight, w.grad()), 1e-4) << temperature;
    }
  }
}

TEST(FastLog, IsWithinTwoUnitsInTheLastPlace) {
  for (double x = 1e-6; x < 1e6; x *= 1.0007) {
    const auto f = static_cast<float>(x);
    const double exact = std::log(static_cast<double>(f));
    EXPECT_NEAR(fast_log(f), exact, 2.4e-7 * std::max(std::abs(exact), 0.1)) << x;
  }
}

}  // namespace
}  // namespace hone::rl
