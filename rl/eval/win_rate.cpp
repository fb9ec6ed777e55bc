#include "rl/eval/win_rate.h"

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/engine/sampler.h"
#include "rl/formats/files.h"
#include "rl/formats/json.h"

namespace hone::rl {
namespace {

/// One response to each prompt. Equal `sample` numbers on both sides pair the randomness.
std::vector<Sample> answers(const Model& model, const std::vector<Ids>& prompts,
                            const TextRules& rules, const WinRateSpec& spec,
                            const std::function<void(std::int64_t)>& done,
                            const std::function<bool()>& stop) {
  std::vector<SampleRequest> requests;
  for (std::size_t i = 0; i < prompts.size(); ++i)
    requests.push_back({prompts[i], spec.options, spec.seed, i});
  std::vector<Sample> samples(prompts.size());
  std::int64_t finished = 0;
  SamplerOptions options;
  options.stop_ids = rules.end_ids;
  SamplerEvents events;
  events.on_sample = [&](std::size_t i, const Sample& sample) {
    samples[i] = sample;
    done(++finished);
  };
  events.stop_requested = stop;
  sample_all(model, requests, options, events);
  return finished == static_cast<std::int64_t>(prompts.size()) ? samples : std::vector<Sample>();
}

/// Summed log-probability of each response under `model`, at the sampling temperature.
std::vector<double> score(const Model& model, const std::vector<Ids>& prompts,
                          const std::vector<Sample>& samples, double temperature) {
  constexpr std::int64_t kTokens = 2048;
  std::vector<double> out;
  std::vector<Group> groups;
  std::int64_t tokens = 0;
  const auto flush = [&] {
    if (groups.empty()) return;
    const auto packed = pack(groups);
    const auto sums =
        sum_by_response(response_logprobs(model, packed, {.temperature = temperature}), packed);
    for (std::int64_t i = 0; i < sums.size(0); ++i) out.push_back(sums.data_ptr<float>()[i]);
    groups.clear();
    tokens = 0;
  };
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    Group group{prompts[i], {samples[i].ids}};
    if (tokens + packed_tokens(group) > kTokens) flush();
    tokens += packed_tokens(group);
    groups.push_back(std::move(group));
  }
  flush();
  return out;
}

std::string text_of(const TextRules& rules, const Sample& sample) {
  return rules.tokenizer->decode(sample.ids, true);
}

}  // namespace

std::vector<EvalPrompt> read_prompts(const std::filesystem::path& path) {
  const std::string text = read_file(path, std::uint64_t{1} << 30);
  std::vector<EvalPrompt> out;
  std::int64_t line = 0;
  const auto bad = [&](const std::string& what) {
    throw Error(Code::Invalid,
                path.filename().string() + ", line " + std::to_string(line) + ": " + what,
                "prompts", line);
  };
  for (std::size_t from = 0; from < text.size();) {
    auto end = text.find('\n', from);
    if (end == std::string::npos) end = text.size();
    const std::string_view row(text.data() + from, end - from);
    from = end + 1;
    ++line;
    if (row.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    nlohmann::json json;
    try {
      json = parse_json(row, "the row");
    } catch (const Error& e) {
      bad(e.detail());
    }
    if (!json.is_object() || !json.contains("messages") || !json["messages"].is_array() ||
        json["messages"].empty())
      bad("must be {\"id\", \"messages\"} with at least one message");
    EvalPrompt prompt;
    prompt.id = json.contains("id") && json["id"].is_string() ? json["id"].get<std::string>()
                                                              : std::to_string(line);
    for (const auto& m : json["messages"]) {
      if (!m.is_object() || !m.contains("role") || !m.contains("content") ||
          !m["role"].is_string() || !m["content"].is_string())
        bad("messages must be of the form {\"role\", \"content\"}, both texts");
      prompt.messages.push_back({m["role"].get<std::string>(), m["content"].get<std::string>()});
    }
    out.push_back(std::move(prompt));
  }
  if (out.empty())
    throw Error(Code::Invalid, path.filename().string() + " holds no prompts", "prompts");
  return out;
}

WinRate measure_win_rate(const EvalModels& models, const TextRules& rules, const WinRateSpec& spec,
                         const std::function<void(std::int64_t, std::int64_t)>& progress,
                         const std::function<bool()>& stop) {
  const auto prompts = read_prompts(spec.prompts);
  std::vector<Ids> ids;
  for (const auto& prompt : prompts) ids.push_back(prompt_ids(rules, prompt.messages));
  const auto n = static_cast<std::int64_t>(prompts.size());

  WinRate out;
  const auto policy = answers(
      models.policy(), ids, rules, spec, [&](std::int64_t d) { progress(d, 2 * n); }, stop);
  if (policy.empty()) return out;
  const auto& base_model = models.base();
  const auto base = answers(
      base_model, ids, rules, spec, [&](std::int64_t d) { progress(n + d, 2 * n); }, stop);
  if (base.empty()) return out;
  const auto base_logps =
      score(base_model, ids, policy, spec.options.temperature > 0 ? spec.options.temperature : 1.0);

  double tokens = 0, base_tokens = 0, kl = 0, sum = 0;
  std::vector<double> outcomes;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    WinRate::Round round;
    round.id = prompts[i].id;
    round.prompt = prompts[i].messages.back().content;
    round.text = text_of(rules, policy[i]);
    round.base_text = text_of(rules, base[i]);
    round.tokens = static_cast<std::int64_t>(policy[i].ids.size());
    round.base_tokens = static_cast<std::int64_t>(base[i].ids.size());
    round.outcome = spec.compare(round.prompt, round.text, round.base_text);
    double own = 0;
    for (const float lp : policy[i].logprobs) own += lp;
    round.kl = own - base_logps[i];
    tokens += static_cast<double>(round.tokens);
    base_tokens += static_cast<double>(round.base_tokens);
    kl += round.kl;
    sum += round.outcome;
    ++(round.outcome > 0.5 ? out.wins : round.outcome < 0.5 ? out.losses : out.ties);
    outcomes.push_back(round.outcome);
    out.rounds.push_back(std::move(round));
  }
  const auto count = static_cast<double>(n);
  out.value = sum / count;
  out.interval = bootstrap_mean(outcomes, spec.seed);
  out.mean_tokens = tokens / count;
  out.base_mean_tokens = base_tokens / count;
  out.kl_seq = kl / count;
  out.kl_token = kl / tokens;
  return out;
}

}  // namespace hone::rl
