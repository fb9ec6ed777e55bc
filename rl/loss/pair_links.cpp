#include "rl/loss/pair_links.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/Exception.h>

#include <cmath>

namespace hone::rl {
namespace {

constexpr double kDebiasedReach = 10;

/// log(1 - e^-x) for x > 0.
at::Tensor log1m_exp_minus(const at::Tensor& x) { return (-(-x).expm1()).log(); }

const at::Tensor& given(const at::Tensor& label, const char* name, const at::Tensor& z) {
  TORCH_CHECK(label.defined(), "this link reads ", name, ", which the labels do not have");
  TORCH_CHECK(label.sizes() == z.sizes(), name, " is ", label.sizes(), ", z is ", z.sizes());
  return label;
}

}  // namespace

// log_sigmoid is -log1p(e^-z) in its stable form on both sides; softplus switches to the identity
// above 20 and drops 2e-9 there.
at::Tensor sigmoid_link(const at::Tensor& z) { return -at::log_sigmoid(z); }

at::Tensor soft_link(const at::Tensor& z, const at::Tensor& p) {
  return -(p * at::log_sigmoid(z) + (1 - p) * at::log_sigmoid(-z));
}

at::Tensor debiased_link(const at::Tensor& z, const at::Tensor& eps) {
  const auto held = at::where(z.abs() > kDebiasedReach, z.detach(), z);
  return (eps * at::log_sigmoid(-held) - (1 - eps) * at::log_sigmoid(held)) / (1 - 2 * eps);
}

at::Tensor flip_link(const at::Tensor& z, const at::Tensor& eps) {
  // In logarithms, since sigma(z) underflows; eps = 0 or 1/2 is a -inf that logaddexp passes over.
  return -at::logaddexp(eps.log(), (1 - 2 * eps).log() + at::log_sigmoid(z));
}

at::Tensor margin_link(const at::Tensor& z, const at::Tensor& mu) { return sigmoid_link(z - mu); }

at::Tensor hinge_link(const at::Tensor& z) { return at::relu(1 - z); }

at::Tensor rk_win(const at::Tensor& z, const at::Tensor& tau) { return sigmoid_link(z - tau); }

at::Tensor rk_tie(const at::Tensor& z, const at::Tensor& tau) {
  // log(expm1(2 tau)), without its overflow.
  const auto width = 2 * tau + log1m_exp_minus(2 * tau);
  return -(width + at::log_sigmoid(z - tau) + at::log_sigmoid(-z - tau));
}

double rk_tau(double tie_rate) { return 2 * std::atanh(tie_rate); }

at::Tensor ordinal_link(const at::Tensor& z, const at::Tensor& step, const at::Tensor& cuts) {
  TORCH_CHECK(cuts.dim() == 1 && cuts.size(0) > 0, "want cuts [K], got ", cuts.sizes());
  const auto k = cuts.size(0);
  const auto s = step.to(at::kLong);
  TORCH_CHECK(s.numel() == 0 || s.abs().max().item<std::int64_t>() <= k, "a step is beyond +-", k);

  //  step:      -K ...   -1    0    1   ...  K
  //  bounds:      -tauK ... -tau1  tau1 ... tauK        [2K]
  const auto bounds = at::cat({-cuts.flip(0), cuts});
  const auto has_lower = s > -k, has_upper = s < k;  // [B]
  const auto lower = bounds.index_select(0, (s + k - 1).clamp_min(0));
  const auto upper = bounds.index_select(0, (s + k).clamp_max(2 * k - 1));

  const auto none = at::zeros_like(z);
  const auto inner = has_lower & has_upper;
  // Of an open end the difference is 0, whose logarithm would send NaN back through where().
  const auto width = at::where(inner, upper - lower, at::ones_like(z));
  return -(at::where(has_upper, at::log_sigmoid(upper - z), none) +
           at::where(has_lower, at::log_sigmoid(z - lower), none) +
           at::where(inner, log1m_exp_minus(width), none));
}

at::Tensor link_loss(Link link, const at::Tensor& z, const PairLabels& labels,
                     const LinkOptions& options) {
  switch (link) {
    case Link::Sigmoid:
      return sigmoid_link(z);
    case Link::Soft:
      return soft_link(z, given(labels.p, "p", z));
    case Link::Debiased:
      return debiased_link(z, given(labels.flip, "flip", z));
    case Link::Flip:
      return flip_link(z, given(labels.flip, "flip", z));
    case Link::Margin:
      return margin_link(z, given(labels.margin, "margin", z));
    case Link::Hinge:
      return hinge_link(z);
    case Link::RaoKupper: {
      TORCH_CHECK(options.cuts.defined() && options.cuts.numel() == 1, "rk has one cut, tau");
      const auto tie = given(labels.tie, "tie", z) != 0;
      return at::where(tie, rk_tie(z, options.cuts), rk_win(z, options.cuts));
    }
    case Link::Ordinal:
      TORCH_CHECK(options.cuts.defined(), "ordinal needs its cuts");
      return ordinal_link(z, given(labels.step, "step", z), options.cuts);
  }
  TORCH_CHECK(false, "not a link: ", static_cast<int>(link));
}

}  // namespace hone::rl
