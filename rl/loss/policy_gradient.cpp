#include "rl/loss/policy_gradient.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/Exception.h>

#include "feedback/base/error.h"
#include "rl/loss/segments.h"

namespace hone::rl {
namespace {

constexpr double kExponentMax = 20;

std::int64_t count(const at::Tensor& flags) { return flags.sum().item<std::int64_t>(); }

/// rho at each token, [N] with gradient.
at::Tensor ratio_of(const at::Tensor& log_ratio, const at::Tensor& counts,
                    std::span<const std::int64_t> lengths, Ratio kind, std::int64_t& clamped) {
  auto exponent = log_ratio;  // [N]
  at::Tensor sequence;        // [N]
  if (kind != Ratio::Token) {
    sequence = sequence_of_token(lengths, log_ratio);
    exponent = sum_by_sequence(log_ratio, sequence, lengths.size());  // [B]
    if (kind == Ratio::SeqMean) {
      const auto m = counts.to(log_ratio.scalar_type());
      exponent = exponent / sum_by_sequence(m, sequence, lengths.size()).clamp_min(1);
    }
  }
  clamped = count(exponent.abs() > kExponentMax);
  const auto rho = exponent.clamp(-kExponentMax, kExponentMax).exp();
  return kind == Ratio::Token ? rho : rho.index_select(0, sequence);
}

/// Fills per_token and the flags of `out` from its ratio.
void add_surrogate(PolicyLoss& out, const at::Tensor& rho, const at::Tensor& advantages,
                   const at::Tensor& lp, const Surrogate& s) {
  const auto good = advantages > 0, bad = advantages < 0;
  const double low = s.cispo ? s.cispo_min : 1 - s.clip_low;
  const double high = s.cispo ? s.cispo_max : 1 + s.clip_high;
  out.clip_low = (out.ratio < low) & bad;
  out.clip_high = (out.ratio > high) & good;
  out.dual = at::zeros_like(bad);
  if (s.cispo) {
    out.per_token = -out.ratio.clamp(low, high) * advantages * lp;
    return;
  }
  out.per_token = -at::minimum(rho * advantages, rho.clamp(low, high) * advantages);
  if (s.dual != 0) {
    TORCH_CHECK(s.dual > high, "the dual clip lies above the clip");
    out.dual = bad & (out.ratio > s.dual);
    const auto end = -s.dual * advantages;
    out.per_token = at::where(bad, at::minimum(out.per_token, end), out.per_token);
  }
}

}  // namespace

at::Tensor kl_estimate(const at::Tensor& lp, const at::Tensor& ref, KlEstimator estimator,
                       std::int64_t* clamped) {
  TORCH_CHECK(!ref.requires_grad(), "the reference is frozen");
  const auto k1 = lp - ref;  // [N]
  if (estimator == KlEstimator::K1) return k1;
  const auto k2 = 0.5 * k1.square();
  if (estimator == KlEstimator::K2) return k2;
  // Only the exponential can overflow; far below, k3 is the line lp - ref - 1. Clamped as a whole:
  // with the exponential alone held, the line would push lp the wrong way.
  if (clamped != nullptr) *clamped = count(-k1 > kExponentMax);
  const auto d = (-k1).clamp_max(kExponentMax);
  const auto k3 = d.expm1() - d;
  return estimator == KlEstimator::K3 ? k3 : k3.detach() + (k2 - k2.detach());
}

PolicyLoss policy_loss(const at::Tensor& lp, const at::Tensor& old, const at::Tensor& ref,
                       const at::Tensor& advantages, const at::Tensor& mask,
                       std::span<const std::int64_t> lengths, const PolicyOptions& options,
                       const at::Tensor& weights) {
  TORCH_CHECK(lp.dim() == 1 && old.sizes() == lp.sizes() && advantages.sizes() == lp.sizes() &&
                  mask.sizes() == lp.sizes(),
              "want lp, old, advantages and mask [N], got ", lp.sizes(), old.sizes(),
              advantages.sizes(), mask.sizes());
  TORCH_CHECK(!old.requires_grad() && !advantages.requires_grad(), "gradient flows into lp only");
  const bool kl_in_loss = options.kl_place == KlPlace::Loss;
  if (kl_in_loss && options.kl_estimator == KlEstimator::K1)
    throw Error(Code::Invalid,
                "k1 in the loss has an expected gradient of zero: use k3_grad_k2, k2 or k3, or put "
                "k1 in the reward");

  // Whatever stands under the mask, NaN too, ends here: as a ratio of 1 and a loss of 0.
  const auto counts = mask != 0;                  // [N]
  const auto none = at::zeros_like(lp).detach();  // [N]
  const auto seen = at::where(counts, lp, none);
  const auto held = at::where(counts, advantages.to(lp.scalar_type()), none);
  const auto log_ratio = at::where(counts, lp - old, none);

  PolicyLoss out;
  const auto rho = ratio_of(log_ratio, counts, lengths, options.ratio, out.clamped_ratios);
  out.ratio = at::where(counts, rho.detach(), none + 1);
  add_surrogate(out, rho, held, seen, options.surrogate);
  if (weights.defined()) out.per_token = out.per_token * weights;
  if (kl_in_loss) {
    TORCH_CHECK(ref.defined(), "a KL term needs the reference's log-probabilities");
    const auto kl =
        kl_estimate(seen, at::where(counts, ref, none), options.kl_estimator, &out.clamped_kl);
    out.per_token = out.per_token + options.kl_coefficient * kl;
    out.kl = kl.detach();
  }
  return out;
}

}  // namespace hone::rl
