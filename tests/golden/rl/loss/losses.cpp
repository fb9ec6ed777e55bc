// losses: a loss of rl/loss and its gradients for each JSON line of standard input, for
// check_losses.py, which holds them against TRL and float64 autograd.
//   {"loss": NAME, "type": "f64" | "f32", the loss's options and tensors, "weights": [per value]}
// Answers {"values": [...], "grad/<input>": gradient of sum(weights * values), ...} a line.
#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "rl/loss/adaptive_kl.h"
#include "rl/loss/advantages.h"
#include "rl/loss/aggregate.h"
#include "rl/loss/kto.h"
#include "rl/loss/policy_gradient.h"
#include "rl/loss/preference.h"
#include "rl/loss/value.h"

namespace {

using namespace hone::rl;
using Json = nlohmann::json;
using Doubles = std::vector<double>;

Doubles list(const at::Tensor& values) {
  const auto flat = values.detach().to(at::kDouble).contiguous().reshape({-1});
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

/// Numbers; null is NaN.
Doubles numbers(const Json& json) {
  Doubles out;
  for (const auto& value : json)
    out.push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>());
  return out;
}

/// One line: its inputs as tensors, the leaves among them remembered for their gradients.
struct Line {
  Json json;
  Json answer = Json::object();
  std::map<std::string, at::Tensor> leaves{};

  bool has(const std::string& name) const { return json.contains(name); }
  at::Tensor input(const std::string& name) const {
    if (!has(name)) return {};
    return at::tensor(numbers(json.at(name)), at::kDouble)
        .to(json.at("type") == "f32" ? at::kFloat : at::kDouble);
  }
  at::Tensor leaf(const std::string& name) {
    return leaves[name] = input(name).set_requires_grad(true);
  }
  double number(const std::string& name, double otherwise = 0) const {
    return json.value(name, otherwise);
  }
  std::vector<std::int64_t> lengths() const {
    return json.at("lengths").get<std::vector<std::int64_t>>();
  }
  void give(const at::Tensor& values) {
    answer["values"] = list(values);
    (values * input("weights")).sum().backward();
    for (const auto& [name, tensor] : leaves) answer["grad/" + name] = list(tensor.grad());
  }
};

template <class Enum>
Enum named(const Line& line, const char* key, const std::map<std::string, Enum>& names) {
  return names.at(line.json.at(key).get<std::string>());
}

const std::map<std::string, Link> kLinks = {
    {"sigmoid", Link::Sigmoid}, {"soft", Link::Soft},      {"debiased", Link::Debiased},
    {"flip", Link::Flip},       {"margin", Link::Margin},  {"hinge", Link::Hinge},
    {"rk", Link::RaoKupper},    {"ordinal", Link::Ordinal}};

const std::map<std::string, PreferenceForm> kForms = {{"dpo", PreferenceForm::Dpo},
                                                      {"dpo.mean", PreferenceForm::DpoMean},
                                                      {"ipo.sum", PreferenceForm::IpoSum},
                                                      {"ipo.mean", PreferenceForm::IpoMean},
                                                      {"apo.zero", PreferenceForm::ApoZero},
                                                      {"apo.down", PreferenceForm::ApoDown},
                                                      {"sppo.hard", PreferenceForm::SppoHard},
                                                      {"nca", PreferenceForm::Nca},
                                                      {"simpo", PreferenceForm::Simpo},
                                                      {"orpo", PreferenceForm::Orpo}};

PairLabels labels_of(const Line& line) {
  return {.p = line.input("p"),
          .flip = line.input("flip"),
          .margin = line.input("margin"),
          .step = line.input("step"),
          .tie = line.input("tie")};
}

void link(Line& line) {
  LinkOptions options;
  if (line.has("cuts")) options.cuts = line.leaf("cuts");
  line.give(link_loss(named(line, "link", kLinks), line.leaf("z"), labels_of(line), options));
}

void preference(Line& line) {
  const ResponseSums chosen{line.leaf("chosen"), line.input("ref_chosen"), line.input("n_chosen")};
  const ResponseSums rejected{line.leaf("rejected"), line.input("ref_rejected"),
                              line.input("n_rejected")};
  const auto out = preference_loss(chosen, rejected, labels_of(line),
                                   {.form = named(line, "form", kForms),
                                    .link = named(line, "link", kLinks),
                                    .beta = line.number("beta"),
                                    .gamma = line.number("gamma"),
                                    .lambda = line.number("lambda"),
                                    .link_options = {.cuts = line.input("cuts")}});
  line.give(out.per_pair);
  line.answer["reward_chosen"] = list(out.reward_chosen);
  line.answer["reward_rejected"] = list(out.reward_rejected);
  if (out.log_odds.defined()) line.answer["log_odds"] = list(out.log_odds);
}

void kto(Line& line) {
  const KtoOptions options{.beta = line.number("beta"),
                           .lambda_desirable = line.number("good", 1),
                           .lambda_undesirable = line.number("bad", 1)};
  const auto h = line.leaf("h");
  if (!line.has("mismatched")) return line.give(kto_apo_zero(h, line.input("desirable"), options));
  const double z0 = kto_z0(line.input("mismatched"));
  line.answer["z0"] = {z0};
  line.give(kto_loss(h, line.input("desirable"), z0, options));
}

void policy(Line& line) {
  const auto mask = line.input("mask");
  const auto out = policy_loss(
      line.leaf("lp"), line.input("old"), line.input("ref"), line.input("advantages"), mask,
      line.lengths(),
      {.ratio = named<Ratio>(
           line, "ratio",
           {{"token", Ratio::Token}, {"seq_mean", Ratio::SeqMean}, {"seq_sum", Ratio::SeqSum}}),
       .surrogate = {.clip_low = line.number("low"),
                     .clip_high = line.number("high"),
                     .dual = line.number("dual"),
                     .cispo = line.has("cispo_max"),
                     .cispo_min = line.number("cispo_min"),
                     .cispo_max = line.number("cispo_max")},
       .kl_place = line.has("kl") ? KlPlace::Loss : KlPlace::None,
       .kl_estimator = line.has("kl") ? named<KlEstimator>(line, "kl",
                                                           {{"k2", KlEstimator::K2},
                                                            {"k3", KlEstimator::K3},
                                                            {"k3_grad_k2", KlEstimator::K3GradK2}})
                                      : KlEstimator::K3,
       .kl_coefficient = line.number("kl_coefficient")});
  auto totals = count_totals(mask, line.lengths());
  totals.norm_length = line.json.value("norm_length", 0);
  const auto weights = token_weights(
      mask, line.lengths(),
      named<Aggregation>(line, "aggregation",
                         {{"token_mean", Aggregation::TokenMean},
                          {"seq_mean_token_mean", Aggregation::SeqMeanTokenMean},
                          {"seq_mean_token_sum", Aggregation::SeqMeanTokenSum},
                          {"seq_mean_token_sum_norm", Aggregation::SeqMeanTokenSumNorm},
                          {"seq_mean", Aggregation::SeqMean}}),
      totals);
  line.give((out.per_token * weights).sum().reshape({1}));
  line.answer["clip_low"] = list(out.clip_low);
  line.answer["clip_high"] = list(out.clip_high);
}

void group(Line& line) {
  line.answer["values"] =
      group_advantages(numbers(line.json.at("rewards")),
                       named<GroupAdvantage>(line, "mode",
                                             {{"std", GroupAdvantage::GroupStd},
                                              {"mean", GroupAdvantage::GroupMean},
                                              {"loo", GroupAdvantage::GroupLoo}}))
          .values;
}

void advantages(Line& line) {
  const auto mask = line.json.at("mask").get<std::vector<std::uint8_t>>();
  const auto out = gae(numbers(line.json.at("rewards")), numbers(line.json.at("values")),
                       {.gamma = line.number("gamma"), .lambda = line.number("lambda")}, mask);
  line.answer["values"] = out.advantages;
  line.answer["returns"] = out.returns;
  line.answer["whitened"] = whiten(out.advantages, mask);
}

void value(Line& line) {
  line.give(value_loss(line.leaf("v"), line.input("old"), line.input("returns"), line.input("mask"),
                       line.number("clip"))
                .per_token);
}

void controller(Line& line) {
  line.answer["values"] = {
      adapted_kl(line.number("coefficient"), line.number("kl"), line.json.at("sequences"),
                 {.target = line.number("target"), .horizon = line.number("horizon")})};
}

const std::map<std::string, std::function<void(Line&)>> kLosses = {
    {"link", link},   {"preference", preference}, {"kto", kto},     {"policy", policy},
    {"group", group}, {"gae", advantages},        {"value", value}, {"adaptive_kl", controller}};

}  // namespace

int main() {
  try {
    for (std::string text; std::getline(std::cin, text);) {
      Line line{.json = Json::parse(text)};
      kLosses.at(line.json.at("loss").get<std::string>())(line);
      std::cout << line.answer.dump() << '\n';
    }
  } catch (const std::exception& error) {
    return std::cerr << error.what() << '\n', 1;
  }
}
