#include "rl/train/publish.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>

#include "rl/eval/logit_difference.h"
#include "rl/formats/export.h"
#include "rl/formats/files.h"
#include "rl/formats/merge.h"
#include "rl/formats/reward_base.h"
#include "rl/formats/safetensors.h"
#include "rl/model/lora.h"
#include "rl/model/scalar_head.h"
#include "rl/ops/cuda/device.h"
#include "rl/ops/matmul.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string percent(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string seeds_in_words(const TrainSpec& spec) {
  if (spec.seeds.size() < 2) return " (one seed)";
  const auto place =
      std::find(spec.seeds.begin(), spec.seeds.end(), spec.seed) - spec.seeds.begin();
  return " (" + std::to_string(place + 1) + " of " + std::to_string(spec.seeds.size()) +
         " seeds; all are below, under Seeds)";
}

std::string summary(const PublishedFrom& from) {
  const auto& e = from.outcome.evaluation;
  const auto& spec = from.spec;
  const auto& facts = from.objective.facts();
  const std::string as = from.objective.generates() ? "by " : "as ";
  std::string text = "Trained " + as + spec.method->what + " (`" + spec.method->name + "`) on " +
                     std::to_string(facts.train) + " " + facts.rows_name + ", starting from " +
                     from.base.description + "; " +
                     (spec.lora ? "a LoRA adapter of rank " + std::to_string(spec.lora->rank)
                                : std::string("all weights")) +
                     ", learning rate " + number(spec.learning_rate()) + ", " +
                     std::to_string(from.outcome.steps) + " steps of " +
                     std::to_string(spec.batch_size()) + ", seed " + std::to_string(spec.seed) +
                     seeds_in_words(spec) + ".\n\nMinimised: `" + spec.method->formula + "`.\n";
  if (from.base.quantised)
    text +=
        "\nThe base's weights were read from a quantised file: they are not the original ones.\n";
  if (e.win_rate && !e.win_rate->rounds.empty()) {
    const auto& w = *e.win_rate;
    text += "\nAgainst its base on " + std::to_string(w.rounds.size()) +
            " held-out prompts: win rate " + percent(w.value) + " (95 % interval " +
            percent(w.interval.low) + " to " + percent(w.interval.high) + "), mean length " +
            number(w.mean_tokens) + " tokens (base " + number(w.base_mean_tokens) +
            "), KL to the base " + number(w.kl_seq) + " nats a response.\n";
  }
  if (e.held_out && e.held_out->accuracy)
    text += "\nHeld-out pairs ranked right: " + percent(*e.held_out->accuracy) + " of " +
            std::to_string(e.held_out->rows) + " (95 % interval " +
            percent(e.held_out->interval.low) + " to " + percent(e.held_out->interval.high) +
            ").\n";
  return text;
}

/// "dpo" of dpo.sigmoid.sum: what people look for.
std::string tag_of(const std::string& method) { return method.substr(0, method.find('.')); }

Json evaluation_json(const Evaluation& e, const TrainSpec& spec) {
  Json json = Json::object();
  if (e.held_out) {
    const auto& h = *e.held_out;
    json["held_out"] = {{h.rows_name, h.rows}};
    if (h.accuracy)
      json["held_out"].update(
          {{"accuracy", *h.accuracy}, {"low", h.interval.low}, {"high", h.interval.high}});
    for (const auto& [name, value] : h.values) json["held_out"][name] = value;
  }
  if (e.win_rate && spec.win_rate) {
    const auto& w = *e.win_rate;
    const auto& s = *spec.win_rate;
    json["win_rate"] = {{"prompts", w.rounds.size()},
                        {"prompts_sha256", sha256_of_file(s.prompts)},
                        {"win_rate", w.value},
                        {"low", w.interval.low},
                        {"high", w.interval.high},
                        {"wins", w.wins},
                        {"ties", w.ties},
                        {"losses", w.losses},
                        {"mean_tokens", w.mean_tokens},
                        {"base_mean_tokens", w.base_mean_tokens},
                        {"kl_seq", w.kl_seq},
                        {"kl_token", w.kl_token},
                        {"judge", Json::parse(s.judge.empty() ? "null" : s.judge)},
                        {"max_tokens", s.options.max_tokens},
                        {"temperature", s.options.temperature},
                        {"seed", s.seed}};
  }
  json["values"] = Json::object();
  for (const auto& [name, value] : e.values()) json["values"][name] = value;
  return json;
}

std::string samples_jsonl(const WinRate& w) {
  std::string out;
  for (const auto& r : w.rounds)
    out += Json{{"id", r.id},           {"prompt", r.prompt},
                {"text", r.text},       {"base_text", r.base_text},
                {"tokens", r.tokens},   {"base_tokens", r.base_tokens},
                {"outcome", r.outcome}, {"kl", r.kl}}
               .dump(-1, ' ', false, Json::error_handler_t::replace) +
           "\n";
  return out;
}

/// Reads the weights of a published folder into the model's own tensors, adapters off: a second
/// model might not fit.
void read_back(Model& model, const fs::path& folder) {
  const auto weights = open_safetensors(folder);
  model.adapters_on = false;
  for (auto& [name, place] : named_weights(model)) place.copy_(weights->read_f32(name));
}

/// How far the merged weights on the disk are from base and adapter.
Json merge_json(Model& model, const Base& base, const fs::path& hf) {
  const auto texts = probe_ids(*base.tokenizer, base.config.max_position_embeddings);
  const auto beside = probe_logits(model, texts);
  read_back(model, hf);
  const auto difference = compare_logits(beside, probe_logits(model, texts));
  return {{"tokens", difference.tokens},
          {"max_abs_logit", difference.max_abs},
          {"kl", difference.kl},
          {"same_top", difference.same_top}};
}

/// Scores of some texts, each read at its last token.
std::vector<double> probe_scores(const Model& model, const std::vector<Ids>& texts) {
  std::vector<double> out;
  for (const auto& ids : texts) {
    const std::vector<Group> one = {{{ids.front()}, {Ids(ids.begin() + 1, ids.end())}}};
    const auto packed = pack_whole(one);
    out.push_back(scalars_at(model, packed, packed.last).item<double>());
  }
  return out;
}

/// How far the scores of the published model are from those of the trained one.
Json score_check_json(Model& model, const Base& base, const fs::path& folder) {
  std::vector<Ids> texts;
  for (auto& ids : probe_ids(*base.tokenizer, base.config.max_position_embeddings))
    if (ids.size() > 1) texts.push_back(ids);
  const auto before = probe_scores(model, texts);
  read_back(model, folder);
  const auto after = probe_scores(model, texts);
  double largest = 0;
  for (std::size_t i = 0; i < before.size(); ++i)
    largest = std::max(largest, std::abs(before[i] - after[i]));
  return {{"texts", texts.size()}, {"max_abs_score", largest}};
}

/// Puts a finished folder in its place; what stood there is removed.
void put_in_place(const fs::path& temporary, const fs::path& place) {
  fs::remove_all(place);
  fs::rename(temporary, place);
  flush_folder(place.parent_path());
}

Json files_json(const fs::path& out) {
  Json json = Json::object();
  std::vector<fs::path> files;
  for (const char* folder : {"hf", "reward", "adapter", "hone"})
    if (fs::exists(out / folder))
      for (const auto& entry : fs::recursive_directory_iterator(out / folder))
        if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files)
    json[file.lexically_relative(out).generic_string()] = {{"sha256", sha256_of_file(file)},
                                                           {"bytes", fs::file_size(file)}};
  return json;
}

void publish_adapter(const fs::path& out, const Base& base, const LoraFile& lora, ModelCard card) {
  const auto folder = out / ".adapter.tmp";
  fs::remove_all(folder);
  card.tags.push_back("lora");
  export_peft(folder, base, lora, card);
  put_in_place(folder, out / "adapter");
}

/// out/hf and, with LoRA, out/adapter. How far the merged weights are from base and adapter.
Json publish_policy(Model& model, const PublishedFrom& from, const ModelCard& card) {
  const auto& out = from.spec.out;
  const auto hf = out / ".hf.tmp";
  fs::remove_all(hf);
  // An adapter is merged into the base's own weights: the model's may have been rounded.
  fs::remove_all(out / "adapter");
  if (!from.spec.lora) {
    export_hf(hf, from.base, named_weights(model), card);
    put_in_place(hf, out / "hf");
    return nullptr;
  }
  const auto lora = lora_file(model, from.base.name);
  export_hf(hf, from.base, MergedWeights(*from.base.weights, lora), card, WeightType::Float32);
  put_in_place(hf, out / "hf");
  publish_adapter(out, from.base, lora, card);
  return merge_json(model, from.base, out / "hf");
}

/// out/reward and, with LoRA, out/adapter. How far the scores of the published weights are from the
/// trained model's.
Json publish_reward(Model& model, const PublishedFrom& from, ModelCard card) {
  const auto& out = from.spec.out;
  const auto shell = reward_base(from.base);
  card.tags.push_back("reward-model");
  const auto folder = out / ".reward.tmp";
  fs::remove_all(folder);
  fs::remove_all(out / "adapter");
  if (from.spec.lora) {
    const auto lora = lora_file(model, from.base.name);
    export_hf(folder, shell, MergedWeights(*from.base.weights, lora), card, WeightType::Float32);
    publish_adapter(out, shell, lora, card);
  } else {
    export_hf(folder, shell, named_weights(model), card);
  }
  put_in_place(folder, out / "reward");
  return score_check_json(model, shell, out / "reward");
}

/// The values that a reader of the card looks for; all are in hone/seeds.json.
bool on_card(const std::string& name) {
  constexpr const char* kNames[] = {
      "eval/held_out/pref/accuracy", "eval/held_out/rm/accuracy", "eval/held_out/sft/nll",
      "eval/held_out/pref/auc",      "eval/held_out/rl/gold",     "eval/held_out/rl/proxy",
      "eval/held_out/loss",          "eval/prompts/win_rate",     "eval/prompts/kl/seq"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

/// Markdown: a column a seed, then mean and interval.
std::string seeds_section(const Json& seeds) {
  std::string head = "|  |", line = "| --- |", failures;
  for (const auto& seed : seeds.at("seeds")) {
    const auto name = std::to_string(seed.at("seed").get<std::uint64_t>());
    head += " seed " + name + " |";
    line += " --- |";
    if (!seed.at("ok").get<bool>())
      failures += "\nSeed " + name + " failed at step " +
                  std::to_string(seed.at("step").get<std::int64_t>()) + " (" +
                  seed.at("code").get<std::string>() +
                  "): " + seed.at("detail").get<std::string>() + ".\n";
  }
  std::string table = head + " mean | 95 % interval |\n" + line + " --- | --- |\n";
  const auto& all = seeds.at("evaluation");
  for (const auto& [name, values] : all.items()) {
    if (!on_card(name)) continue;
    table += "| " + name + " |";
    for (const auto& seed : seeds.at("seeds"))
      table += seed.at("ok").get<bool>()
                   ? " " + number(seed.at("evaluation").at(name).get<double>()) + " |"
                   : " failed |";
    table += " " + number(values.at("mean").get<double>()) + " | " +
             (values.contains("low") ? number(values.at("low").get<double>()) + " to " +
                                           number(values.at("high").get<double>())
                                     : std::string("of one seed: none")) +
             " |\n";
  }
  const auto count = std::to_string(seeds.at("seeds").size());
  return "\n## Seeds\n\n" + std::to_string(seeds.at("finished").get<std::int64_t>()) + " of " +
         count + " seeds came to their end; published is seed " +
         std::to_string(seeds.at("published").get<std::uint64_t>()) +
         ". Means are over those that came to their end, with Student's interval.\n\n" + table +
         failures;
}

}  // namespace

void publish(Model& model, const PublishedFrom& from) {
  const auto& out = from.spec.out;
  const auto lineage = Json::parse(from.spec.lineage);
  const auto name_it = lineage.find("name");
  ModelCard card;
  card.name = name_it != lineage.end() && name_it->is_string()
                  ? name_it->get<std::string>()
                  : from.base.name + " specialised with Hone";
  card.tags = {tag_of(from.spec.method->name)};
  card.summary = summary(from);
  card.lineage = from.spec.lineage;

  const auto check = from.objective.generates() ? publish_policy(model, from, card)
                                                : publish_reward(model, from, card);

  fs::create_directories(out / "hone");
  fs::remove(out / "hone" / "manifest.json");
  write_file(out / "hone" / "evaluation.json",
             evaluation_json(from.outcome.evaluation, from.spec).dump(2) + "\n");
  from.objective.leave(out / "hone");
  fs::remove(out / "hone" / "samples.jsonl");
  if (from.outcome.evaluation.win_rate)
    write_file(out / "hone" / "samples.jsonl", samples_jsonl(*from.outcome.evaluation.win_rate));

  const auto& facts = from.objective.facts();
  Json manifest = {{"format", 1}, {"formula", from.spec.method->formula}};
  manifest["spec"] = Json::parse(mathematics_json(from.spec));
  manifest["base"] = {{"name", from.base.name},
                      {"description", from.base.description},
                      {"sha256", from.base.sha256},
                      {"license", from.base.license},
                      {"quantised", from.base.quantised}};
  manifest["data"] = {{"sha256", facts.sha256},
                      {"rows", facts.rows_name},
                      {"train", facts.train},
                      {"held_out", facts.held_out}};
  for (const auto& [reason, count] : facts.counts) manifest["data"][reason] = count;
  const auto& plan = matmul_plan();
  manifest["code"] = {{"revision", from.spec.code_revision},
                      {"threads", plan.threads},
                      {"device", plan.cuda ? cuda::device_name() : "cpu"},
                      {"onednn", plan.onednn},
                      {"direct_rows", plan.direct_rows},
                      {"dtype", from.spec.settings.word("dtype")},
                      {"level", "exact"}};
  if (from.bf16_ratio > 0) manifest["code"]["bf16_ratio"] = from.bf16_ratio;
  manifest["cost"] = {{"steps", from.outcome.steps},
                      {"tokens", from.outcome.tokens},
                      {"train_s", from.outcome.train_s}};
  manifest["evaluation"] = evaluation_json(from.outcome.evaluation, from.spec)["values"];
  if (!check.is_null()) manifest[from.objective.generates() ? "merge" : "reward_check"] = check;
  manifest["lineage"] = lineage;
  manifest["files"] = files_json(out);
  write_file(out / "hone" / "manifest.json", manifest.dump(2) + "\n");
  flush_folder(out / "hone");
}

void publish_seeds(const TrainSpec& job, std::uint64_t seed, const std::string& seeds_json) {
  const auto from = job.out / ("seed-" + std::to_string(seed));
  const auto seeds = Json::parse(seeds_json);
  const auto section = seeds_section(seeds);
  for (const char* name : {"hf", "reward", "adapter", "hone"}) {
    if (!fs::exists(from / name)) continue;
    const auto temporary = job.out / ("." + std::string(name) + ".tmp");
    fs::remove_all(temporary);
    fs::copy(from / name, temporary,
             fs::copy_options::recursive | fs::copy_options::create_hard_links);
    // write_file puts a new file in the place: the seed's own stays as it is.
    const auto card = temporary / "README.md";
    if (fs::exists(card)) write_file(card, read_file(card, 16 << 20) + section);
    if (std::string(name) == "hone") {
      fs::remove(temporary / "manifest.json");
      write_file(temporary / "seeds.json", seeds.dump(2) + "\n");
    }
    put_in_place(temporary, job.out / name);
  }
  write_file(job.out / "metrics.jsonl", read_file(from / "metrics.jsonl", std::uint64_t{1} << 30));
  auto manifest = Json::parse(read_file(from / "hone/manifest.json", 256 << 20));
  manifest["seeds"] = {{"published", seed},
                       {"asked", job.seeds},
                       {"finished", seeds.at("finished")},
                       {"failed", seeds.at("failed")},
                       {"evaluation", seeds.at("evaluation")}};
  manifest["cost"] = seeds.at("cost");  // of them all: that is what the version took
  manifest["files"] = files_json(job.out);
  write_file(job.out / "hone" / "manifest.json", manifest.dump(2) + "\n");
  flush_folder(job.out / "hone");
}

}  // namespace hone::rl
