#include "feedback/training/methods.h"

#include <algorithm>
#include <array>

#include "feedback/base/error.h"

namespace hone::feedback {
namespace {

using Kind = Setting::Kind;
using List = std::vector<Setting>;

constexpr double kMany = 1e7;

Setting number(std::string name, double preset, double lowest, double highest,
               std::string meaning) {
  return {.name = std::move(name),
          .kind = Kind::Number,
          .preset = preset,
          .lowest = lowest,
          .highest = highest,
          .meaning = std::move(meaning)};
}
/// A number that may be left out.
Setting maybe(std::string name, double lowest, double highest, std::string meaning) {
  Setting s = number(std::move(name), 0, lowest, highest, std::move(meaning));
  s.preset = std::monostate{};
  s.nullable = true;
  return s;
}
Setting integer(std::string name, std::int64_t preset, double lowest, double highest,
                std::string meaning) {
  return {.name = std::move(name),
          .kind = Kind::Integer,
          .preset = preset,
          .lowest = lowest,
          .highest = highest,
          .meaning = std::move(meaning)};
}
Setting flag(std::string name, bool preset, std::string meaning) {
  return {
      .name = std::move(name), .kind = Kind::Flag, .preset = preset, .meaning = std::move(meaning)};
}
Setting word(std::string name, std::string preset, std::vector<std::string> words,
             std::string meaning) {
  return {.name = std::move(name),
          .kind = Kind::Word,
          .preset = std::move(preset),
          .words = std::move(words),
          .meaning = std::move(meaning)};
}

/// What differs between families in the settings that all of them have. The anchors are those of
/// the papers and of the recipes that TRL and the RLHF replications publish.
struct Common {
  double rate, adapter_rate;
  std::int64_t batch = 64;
  std::string batch_of = "pairs";
  std::string schedule = "cosine";
  double warmup = 0.1;
  double eps = 1e-8;
};

List common(const Common& c) {
  auto rate = number("learning_rate", c.rate, 1e-12, 1, "the highest of the schedule");
  rate.adapter_preset = c.adapter_rate;
  auto steps = integer("max_steps", 0, 1, kMany, "optimizer steps, instead of epochs");
  steps.preset = std::monostate{};
  steps.nullable = true;
  auto tokens = integer("micro_batch_tokens", 512, 1, 1 << 20,
                        "trunk tokens of one pass: memory, and the last bits of the sums; null: "
                        "512, on a CUDA device 16384");
  tokens.preset = std::monostate{};
  tokens.nullable = true;
  auto checkpointing = flag("activation_checkpointing", false,
                            "keep each block's input alone and compute the rest again");
  checkpointing.mathematics = false;
  return {
      rate,
      integer("batch_size", c.batch, 1, 65536, c.batch_of + " an optimizer step"),
      integer("epochs", 1, 1, 1000, "times through the training rows"),
      steps,
      word("schedule", c.schedule, {"constant", "linear", "cosine"},
           "how the rate falls after the warm-up"),
      number("warmup_ratio", c.warmup, 0, 1, "share of all steps in which the rate rises"),
      number("max_grad_norm", 1, 0, 1e9, "bound on the gradient's norm; 0: none"),
      integer("max_tokens", 1024, 2, 1 << 20, "prompt and answer together"),
      tokens,
      word("dtype", "float32", {"float32", "bfloat16", "auto"},
           "operands of the blocks' products; masters and moments stay f32; auto: measured at "
           "start"),
      number("weight_decay", 0, 0, 1, "decoupled, a step"),
      number("adam_beta1", 0.9, 0, 0.999999, "first moment's memory"),
      number("adam_beta2", 0.999, 0, 0.9999999, "second moment's memory"),
      number("adam_eps", c.eps, 1e-20, 0.01, "added after bias correction"),
      checkpointing,
  };
}

List with(List list, std::initializer_list<Setting> more) {
  list.insert(list.end(), more.begin(), more.end());
  return list;
}

// ---- pairs

const std::string kH =
    "h = log pi(y|x) - log ref(y|x) summed over the response's tokens, n its tokens; mean over the "
    "step's pairs";

Setting beta(double preset) {
  return number("beta", preset, 1e-6, 100, "strength of the pull towards the reference");
}
Setting nll() {
  return number("nll_coefficient", 0, 0, 100,
                "adds it times the mean of -log pi over the step's chosen tokens");
}
Setting flip_rate() {
  return maybe("flip_rate", 0.02, 0.45,
               "chance that a label is wrong; null: each row's own, of its judges");
}

Method pairs(std::string name, std::string what, std::string formula, double beta_preset,
             std::initializer_list<Setting> more = {}) {
  auto settings = with(common({.rate = 1e-6, .adapter_rate = 1e-5}), {beta(beta_preset), nll()});
  return {std::move(name), Family::Preference, std::move(what), formula + "; " + kH,
          with(std::move(settings), more)};
}

std::vector<Method> preference_methods() {
  const std::string dpo = "direct preference optimization";
  std::vector<Method> out;
  out.push_back(pairs("dpo.sigmoid.sum", dpo, "-log sigma(z), z = beta * (h_c - h_r)", 0.1));
  out.push_back(
      pairs("dpo.sigmoid.mean", dpo, "-log sigma(z), z = beta * (h_c / n_c - h_r / n_r)", 5));
  out.push_back(pairs(
      "dpo.soft.sum", dpo + " with soft labels",
      "-p log sigma(z) - (1 - p) log sigma(-z), z = beta * (h_c - h_r), p the row's probability "
      "that the chosen answer is better, moved to one half by label_smoothing",
      0.1,
      {number("label_smoothing", 0, 0, 0.5, "p becomes (1 - s) p + s (1 - p): cDPO's epsilon")}));
  out.push_back(
      pairs("dpo.debiased.sum", dpo + ", labels flipped at a known rate, debiased",
            "(-(1 - e) log sigma(z) + e log sigma(-z)) / (1 - 2e), z = beta * (h_c - h_r); "
            "its gradient stops where |z| > 10",
            0.1, {flip_rate()}));
  out.push_back(pairs("dpo.flip.sum", dpo + ", likelihood of flipped labels",
                      "-log(e + (1 - 2e) sigma(z)), z = beta * (h_c - h_r)", 0.1, {flip_rate()}));
  out.push_back(pairs("dpo.margin.sum", dpo + " with an offset by strength",
                      "-log sigma(z - m), z = beta * (h_c - h_r), m = margin_scale * strength", 0.1,
                      {number("margin_scale", 1, 0, 100, "margin of a preference of strength 1")}));
  out.push_back(
      pairs("dpo.rk.sum", dpo + " with ties (Rao-Kupper)",
            "win: -log sigma(z - t); tie: -log(expm1(2t)) - log sigma(z - t) - log sigma(-z "
            "- t); z = beta * (h_c - h_r)",
            0.1, {maybe("tau", 1e-4, 10, "half width of the tie; null: from the share of ties")}));
  out.push_back(
      pairs("dpo.hinge.sum", dpo + " with a hinge", "max(0, 1 - z), z = beta * (h_c - h_r)", 0.1));
  out.push_back(
      pairs("ipo.sum", "identity preference optimization", "(h_c - h_r - 1 / (2 beta))^2", 0.1));
  out.push_back(pairs("ipo.mean", "identity preference optimization by token",
                      "(h_c / n_c - h_r / n_r - 1 / (2 beta))^2", 0.1));
  out.push_back(pairs("apo.zero", "anchored preference optimization",
                      "1 - sigma(beta h_c) + sigma(beta h_r)", 0.1));
  out.push_back(pairs("apo.down", "anchored preference optimization, downwards",
                      "sigma(beta h_c) + 1 - sigma(beta (h_c - h_r))", 0.1));
  out.push_back(pairs("sppo.hard", "self-play preference optimization",
                      "(h_c - 1 / (2 beta))^2 + (h_r + 1 / (2 beta))^2", 0.1));
  out.push_back(pairs("nca", "noise contrastive alignment",
                      "-log sigma(beta h_c) - log sigma(-beta h_c) / 2 - log sigma(-beta h_r) / 2",
                      0.1));
  const std::string s =
      "S = log pi(y|x) summed over the response's n tokens; mean over the step's pairs";
  out.push_back(
      {"simpo", Family::Preference, "simple preference optimization",
       "-log sigma(beta (S_c / n_c - S_r / n_r) - gamma); " + s,
       with(common({.rate = 1e-6, .adapter_rate = 1e-5, .batch = 128}),
            {beta(2.5), number("gamma", 1.375, 0, 100, "target margin, after beta"), nll()})});
  out.push_back({"orpo", Family::Preference, "odds ratio preference optimization",
                 "-S_c / n_c - lambda log sigma(o_c - o_r), o = a - log(1 - e^a), a = S / n; " + s,
                 with(common({.rate = 5e-6, .adapter_rate = 5e-5}),
                      {number("lambda", 0.1, 0, 100, "weight of the odds ratio")})});
  return out;
}

std::vector<Method> unpaired_methods() {
  const auto settings =
      with(common({.rate = 1e-6, .adapter_rate = 1e-5, .batch_of = "answers"}),
           {beta(0.1), number("lambda_desirable", 1, 0, 100, "weight of good answers"),
            number("lambda_undesirable", 1, 0, 100, "weight of bad answers")});
  return {
      {"kto", Family::Unpaired, "Kahneman-Tversky optimization",
       "good: lambda_D (1 - sigma(beta (h - z0))); bad: lambda_U (1 - sigma(beta (z0 - h))); z0 = "
       "max(0, mean h of the step's prompts with other rows' answers), without gradient; mean over "
       "the step's answers",
       settings},
      {"kto.apo_zero", Family::Unpaired, "anchored optimization of unpaired answers",
       "good: lambda_D (1 - sigma(beta h)); bad: lambda_U sigma(beta h); mean over the step's "
       "answers",
       settings}};
}

// ---- reward models

Method reward(const std::string& link, std::string what, std::string formula,
              std::initializer_list<Setting> more = {}) {
  auto settings =
      with(common({.rate = 3e-6, .adapter_rate = 1e-4, .warmup = 0, .eps = 1e-5}),
           {number("center_coefficient", 0, 0, 100, "adds it times the mean of (s_a + s_b)^2"),
            number("absolute_coefficient", 0, 0, 100,
                   "adds it times the cross entropy of sigma(score) against acceptable")});
  return {"rm." + link, Family::Reward, std::move(what),
          formula +
              "; z = s(x, chosen) - s(x, rejected), scores read at each answer's last token; "
              "mean over the step's pairs",
          with(std::move(settings), more)};
}

std::vector<Method> reward_methods() {
  const std::string what = "a reward model";
  return {
      reward("sigmoid", what + " (Bradley-Terry)", "-log sigma(z)"),
      reward(
          "soft", what + " of soft labels",
          "-p log sigma(z) - (1 - p) log sigma(-z), p the row's probability that the chosen answer "
          "is better"),
      reward(
          "debiased", what + ", labels flipped at a known rate, debiased",
          "(-(1 - e) log sigma(z) + e log sigma(-z)) / (1 - 2e); its gradient stops where |z| > 10",
          {flip_rate()}),
      reward("flip", what + ", likelihood of flipped labels", "-log(e + (1 - 2e) sigma(z))",
             {flip_rate()}),
      reward("margin", what + " with margins by strength",
             "-log sigma(z - m), m = margin_scale * strength",
             {number("margin_scale", 1, 0, 100, "margin of a preference of strength 1")}),
      reward(
          "rk", what + " with ties (Rao-Kupper)",
          "win: -log sigma(z - t); tie: -log(expm1(2t)) - log sigma(z - t) - log sigma(-z - t), t "
          "learned"),
      reward("ordinal", what + " of graded strength",
             "-log P(strength | z) between symmetric cuts t1 < t2 < t3, learned"),
  };
}

// ---- policy gradient: five axes

struct Axes {
  std::string advantage = "group_std", ratio = "token", surrogate = "clip";
  double clip_low = 0.2, clip_high = 0.2;
  std::string aggregation = "token_mean", kl_place = "none", kl_estimator = "k3_grad_k2";
  double kl_coefficient = 0;
  std::string truncated = "keep";
  std::int64_t group = 8;
  bool dynamic_sampling = false;
  std::optional<double> no_end = {};
  std::int64_t overlong_buffer = 0;
};

List policy_settings(const Common& c, const Axes& a, std::int64_t epochs, double temperature) {
  auto no_end = maybe("no_end_score", -1e6, 1e6,
                      "a reward model's score of an answer without an end; null: its own");
  if (a.no_end) no_end.preset = *a.no_end;
  auto settings = with(
      common(c),
      {integer("group_size", a.group, 1, 1024, "answers drawn for a prompt"),
       integer("max_new_tokens", 256, 1, 1 << 16, "of an answer"),
       number("temperature", temperature, 1e-3, 100, "of drawing, and of every log-probability"),
       integer("rollout_epochs", epochs, 1, 64, "times through a rollout's answers"),
       integer("minibatches", 1, 1, 1024, "optimizer steps an epoch of a rollout"),
       word("advantage", a.advantage,
            {"gae", "group_std", "group_mean", "group_loo", "whitened_return"},
            "what an answer is compared with"),
       word("ratio", a.ratio, {"token", "seq_mean", "seq_sum"},
            "importance ratio of a token's term"),
       word("surrogate", a.surrogate, {"clip", "cispo"}, "how the ratio is bounded"),
       number("clip_low", a.clip_low, 0, 1, "lower bound 1 - this"),
       number("clip_high", a.clip_high, 0, 1000, "upper bound 1 + this"),
       maybe("dual_clip", 1, 1000, "bound on a negative advantage's term; null: off"),
       number("cispo_max", 5, 0, 1000, "upper bound of cispo's ratio"),
       word("aggregation", a.aggregation,
            {"token_mean", "seq_mean_token_mean", "seq_mean_token_sum", "seq_mean_token_sum_norm",
             "seq_mean"},
            "how a step's tokens become one number"),
       word("kl_place", a.kl_place, {"none", "reward", "reward_pre", "reward_post", "loss"},
            "where the pull to the reference acts"),
       word("kl_estimator", a.kl_estimator, {"k1", "k2", "k3", "k3_grad_k2"}, "of the KL to it"),
       number("kl_coefficient", a.kl_coefficient, 0, 100, "its weight"),
       maybe("kl_target", 1e-6, 1000,
             "nats an answer that the coefficient is steered to; null: fixed"),
       number("kl_horizon", 10000, 1, 1e9, "answers over which it is steered"),
       number("kl_budget", 100, 0, 1e9, "nats an answer at which the run stops; 0: none"),
       word("truncated", a.truncated, {"keep", "mask", "penalise"},
            "answers that reach max_new_tokens without an end: kept, not learnt from, or fined by "
            "1"),
       integer("overlong_buffer", a.overlong_buffer, 0, 1 << 16,
               "tokens before max_new_tokens in which an answer is fined for its length; 0: off"),
       word("sampler_correction", "off", {"off", "token_truncate", "sequence_mask"},
            "makes up for a sampler that rounds otherwise than the trainer: a token's term times "
            "its ratio of the two up to the cap, or times its answer's, and 0 beyond the cap"),
       number("sampler_correction_cap", 3, 1, 1e6, "of that ratio"),
       flag("dynamic_sampling", a.dynamic_sampling,
            "leave out groups whose answers all score the same: changes which prompts count"),
       no_end,
       integer("gold_every", 10, 0, kMany,
               "steps between measurements of the gold reward on held-out prompts; 0: only at the "
               "end")});
  return settings;
}

Method policy(std::string name, std::string what, std::string formula, const Axes& axes) {
  return {std::move(name), Family::Policy, std::move(what), std::move(formula),
          policy_settings({.rate = 1e-6,
                           .adapter_rate = 1e-5,
                           .batch_of = "prompts",
                           .schedule = "constant",
                           .warmup = 0},
                          axes, 1, 1)};
}

std::vector<Method> policy_methods() {
  const std::string clip =
      "-min(rho A, clamp(rho, 1 - clip_low, 1 + clip_high) A), rho = exp(lp - old) a token";
  std::vector<Method> out;
  auto ppo = policy_settings({.rate = 3e-6,
                              .adapter_rate = 3e-5,
                              .batch = 512,
                              .batch_of = "prompts",
                              .warmup = 0,
                              .eps = 1e-5},
                             {.advantage = "gae",
                              .kl_place = "reward",
                              .kl_estimator = "k1",
                              .kl_coefficient = 0.05,
                              .group = 1,
                              .no_end = -1},
                             4, 0.7);
  auto value_rate = number("value_learning_rate", 3e-6, 1e-12, 1, "of the value network");
  value_rate.adapter_preset = 3e-5;
  out.push_back(
      {"ppo", Family::Policy, "proximal policy optimization with a value network",
       clip + "; A by GAE from r_t = -kl_coefficient k1_t and the score at the last token, "
              "whitened over the rollout; mean over the step's tokens; the value network: "
              "max((V - G)^2, (clamp(V, V_old +- value_clip) - G)^2) / 2, begun as the reward "
              "model, or else at the first rollout's mean score everywhere",
       with(ppo, {value_rate, number("value_clip", 0.2, 0, 1e9, "in units of the reward; 0: off"),
                  number("gae_gamma", 1, 0, 1, "discount a token"),
                  number("gae_lambda", 0.95, 0, 1, "trace a token"),
                  flag("whiten", true, "advantages over the whole rollout")})});
  const std::string group = "; A = (R - mean) / (std + 1e-4) over a prompt's answers";
  out.push_back(policy("grpo_token", "group relative policy optimization, by token",
                       clip + group + "; mean over the step's tokens", {}));
  out.push_back(policy("grpo_seq", "group relative policy optimization, by answer",
                       clip + group +
                           ", plus kl_coefficient times the KL to the reference; mean over "
                           "answers of the mean over their tokens",
                       {.aggregation = "seq_mean_token_mean",
                        .kl_place = "loss",
                        .kl_estimator = "k3",
                        .kl_coefficient = 0.001}));
  out.push_back(policy("dr_grpo", "group policy optimization without its biases",
                       clip + "; A = R - mean; sum over tokens / (answers * max_new_tokens)",
                       {.advantage = "group_mean", .aggregation = "seq_mean_token_sum_norm"}));
  out.push_back(policy("dapo", "decoupled clip and dynamic sampling policy optimization",
                       clip + group +
                           "; truncated answers masked, long ones fined; mean over the "
                           "step's tokens",
                       {.clip_high = 0.28,
                        .truncated = "mask",
                        .group = 16,
                        .dynamic_sampling = true,
                        .overlong_buffer = 32}));
  out.push_back(policy("gspo", "group sequence policy optimization",
                       "the same with rho = exp(mean over the answer's tokens of lp - old)" +
                           group + "; mean over answers",
                       {.ratio = "seq_mean",
                        .clip_low = 3e-4,
                        .clip_high = 4e-4,
                        .aggregation = "seq_mean_token_mean"}));
  out.push_back(
      policy("rloo", "REINFORCE with a leave-one-out baseline",
             "clipped with rho = exp(sum over the answer's tokens of lp - old); A = R - mean "
             "of the others, R less kl_coefficient times the answer's KL; mean over answers",
             {.advantage = "group_loo",
              .ratio = "seq_sum",
              .aggregation = "seq_mean",
              .kl_place = "reward_pre",
              .kl_estimator = "k1",
              .kl_coefficient = 0.05}));
  out.push_back(
      policy("cispo", "clipped importance sampling policy optimization",
             "-stopgrad(clamp(rho, 0, cispo_max)) A lp" + group + "; mean over the step's tokens",
             {.surrogate = "cispo"}));
  out.push_back(policy("reinforce_pp", "REINFORCE++",
                       clip +
                           "; A_t = the return from t on, of -kl_coefficient k1_t and the score, "
                           "whitened over the rollout's tokens; mean over the step's tokens",
                       {.advantage = "whitened_return",
                        .kl_place = "reward",
                        .kl_estimator = "k1",
                        .kl_coefficient = 0.01,
                        .group = 1}));
  return out;
}

std::vector<Method> other_methods() {
  const Common sft{.rate = 2e-5, .adapter_rate = 2e-4, .batch_of = "conversations"};
  std::vector<Method> out;
  out.push_back({"sft", Family::Demonstration, "supervised fine-tuning",
                 "-log pi(token) over the assistant's tokens; mean over the step's tokens",
                 common(sft)});
  const auto distill = [&](std::string name, std::string what, std::string formula,
                           std::initializer_list<Setting> more) {
    out.push_back(
        {"distill." + name, Family::Distillation, std::move(what),
         formula + " over the assistant's tokens, pi the student and q the teacher at "
                   "temperature; mean over the step's tokens",
         with(with(common(sft), {number("temperature", 1, 1e-3, 100, "of both distributions")}),
              more)});
  };
  distill("forward", "distillation by forward KL", "KL(q || pi)", {});
  distill("reverse", "distillation by reverse KL", "KL(pi || q)", {});
  distill("jsd", "generalised distillation",
          "mix KL(q || m) + (1 - mix) KL(pi || m), m = mix q + (1 - mix) pi",
          {number("mix", 0.5, 1e-3, 0.999, "the teacher's share of the mean")});
  return out;
}

std::vector<Method> all_methods() {
  std::vector<Method> out;
  for (const auto& part : {preference_methods(), unpaired_methods(), reward_methods(),
                           policy_methods(), other_methods()})
    out.insert(out.end(), part.begin(), part.end());
  return out;
}

/// Names that mean several things in the field, with those that mean one.
struct Ambiguous {
  std::string_view name, meant;
};
constexpr std::array kAmbiguous = {
    Ambiguous{"dpo", "dpo.sigmoid.sum or dpo.sigmoid.mean"},
    Ambiguous{"sigmoid", "dpo.sigmoid.sum or dpo.sigmoid.mean"},
    Ambiguous{"ipo", "ipo.sum or ipo.mean"},
    Ambiguous{"grpo", "grpo_token or grpo_seq"},
    Ambiguous{"apo", "apo.zero or apo.down"},
    Ambiguous{"sppo", "sppo.hard"},
    Ambiguous{"label_smoothing", "dpo.soft.sum or dpo.debiased.sum"},
    Ambiguous{"cdpo", "dpo.soft.sum with label_smoothing"},
    Ambiguous{"rdpo", "dpo.debiased.sum"},
    Ambiguous{"robust", "dpo.debiased.sum"},
    Ambiguous{"hinge", "dpo.hinge.sum"},
    Ambiguous{"rm", "rm.sigmoid"},
    Ambiguous{"reward_model", "rm.sigmoid"},
    Ambiguous{"distill", "distill.forward, distill.reverse or distill.jsd"},
    Ambiguous{"gkd", "distill.jsd"},
    Ambiguous{"reinforce", "rloo or reinforce_pp"},
};

}  // namespace

std::string_view to_string(Family family) {
  switch (family) {
    case Family::Demonstration:
      return "demonstration";
    case Family::Reward:
      return "reward";
    case Family::Preference:
      return "preference";
    case Family::Unpaired:
      return "unpaired";
    case Family::Policy:
      return "policy";
    case Family::Distillation:
      return "distillation";
  }
  return "";
}

const std::vector<Method>& methods() {
  static const auto all = all_methods();
  return all;
}

std::string method_names() {
  std::string out;
  const auto& all = methods();
  for (std::size_t i = 0; i < all.size(); ++i)
    out += (i == 0 ? "" : i + 1 == all.size() ? " and " : ", ") + all[i].name;
  return out;
}

const Method& method(std::string_view name) {
  for (const auto& m : methods())
    if (m.name == name) return m;
  const std::string shown(name.substr(0, 100));
  for (const auto& a : kAmbiguous)
    if (a.name == name)
      throw Error(
          Code::Invalid,
          "\"" + shown + "\" names more than one thing in the field; name " + std::string(a.meant),
          "method");
  throw Error(Code::Invalid, "there is no method \"" + shown + "\"; there are " + method_names(),
              "method");
}

bool has_reference(const Method& m) {
  if (m.family == Family::Unpaired) return true;
  return m.family == Family::Preference && m.name != "simpo" && m.name != "orpo";
}

}  // namespace hone::feedback
