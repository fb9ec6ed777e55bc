#include "rl/loss/preference.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/where.h>
#include <c10/util/Exception.h>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

constexpr double kLogHalf = -0.693147180559945309;
constexpr double kSurest = -1e-12;  // a log-probability of 0 has infinite odds

bool is_mean(PreferenceForm form) {
  return form == PreferenceForm::DpoMean || form == PreferenceForm::IpoMean ||
         form == PreferenceForm::Simpo || form == PreferenceForm::Orpo;
}

bool has_reference(PreferenceForm form) {
  return form != PreferenceForm::Simpo && form != PreferenceForm::Orpo;
}

/// What a form compares: h or S, by mean or by sum, [B].
at::Tensor score(const ResponseSums& response, PreferenceForm form) {
  auto out = response.logp;
  TORCH_CHECK(out.dim() == 1, "want [B], got ", out.sizes());
  if (has_reference(form)) {
    TORCH_CHECK(response.ref.defined(), "this form needs the reference's log-probabilities");
    TORCH_CHECK(!response.ref.requires_grad(), "the reference is frozen");
    out = out - response.ref;
  }
  if (is_mean(form)) {
    TORCH_CHECK(response.tokens.defined(), "this form needs the numbers of tokens");
    out = out / response.tokens.to(out.scalar_type());
  }
  return out;
}

/// a - log(1 - e^a) for a < 0. Near 0 the difference 1 - e^a cancels, far below it e^a does
/// (Maechler 2012, "Accurately computing log(1 - exp(-|a|))"); each half gets arguments of its own
/// side, so that no infinity of the other comes back as NaN.
at::Tensor log_odds(const at::Tensor& mean_logp) {
  const auto a = mean_logp.clamp_max(kSurest);
  const auto near = a > kLogHalf;
  const auto above = (-at::where(near, a, a.new_full({}, kLogHalf)).expm1()).log();
  const auto below = (-at::where(near, a.new_full({}, kLogHalf), a).exp()).log1p();
  return a - at::where(near, above, below);
}

}  // namespace

PreferenceLoss preference_loss(const ResponseSums& chosen, const ResponseSums& rejected,
                               const PairLabels& labels, const PreferenceOptions& options) {
  const auto form = options.form;
  const bool reads_link = form == PreferenceForm::Dpo || form == PreferenceForm::DpoMean;
  if (!reads_link && options.link != Link::Sigmoid)
    throw Error(Code::Invalid, "only dpo takes a pair link: this loss has a formula of its own");

  const auto c = score(chosen, form), r = score(rejected, form);  // [B]
  const double beta = options.beta, target = 1 / (2 * beta);
  const double scale = form == PreferenceForm::Orpo ? options.lambda : beta;
  PreferenceLoss out{.per_pair = {},
                     .reward_chosen = (scale * c).detach(),
                     .reward_rejected = (scale * r).detach(),
                     .log_odds = {}};
  switch (form) {
    case PreferenceForm::Dpo:
    case PreferenceForm::DpoMean:
      out.per_pair = link_loss(options.link, beta * c - beta * r, labels, options.link_options);
      break;
    case PreferenceForm::IpoSum:
    case PreferenceForm::IpoMean:
      out.per_pair = (c - r - target).square();
      break;
    case PreferenceForm::ApoZero:
      out.per_pair = at::sigmoid(-beta * c) + at::sigmoid(beta * r);
      break;
    case PreferenceForm::ApoDown:
      out.per_pair = at::sigmoid(beta * c) + at::sigmoid(-beta * (c - r));
      break;
    case PreferenceForm::SppoHard:
      out.per_pair = (c - target).square() + (r + target).square();
      break;
    case PreferenceForm::Nca:
      out.per_pair = -at::log_sigmoid(beta * c) - 0.5 * at::log_sigmoid(-beta * c) -
                     0.5 * at::log_sigmoid(-beta * r);
      break;
    case PreferenceForm::Simpo:
      out.per_pair = sigmoid_link(beta * (c - r) - options.gamma);
      break;
    case PreferenceForm::Orpo: {
      const auto odds = log_odds(c) - log_odds(r);
      out.per_pair = -c + options.lambda * sigmoid_link(odds);
      out.log_odds = odds.detach();
      break;
    }
  }
  return out;
}

}  // namespace hone::rl
