#include "services/server/json/snapshots.h"

#include <algorithm>

#include "services/server/json/values.h"
#include "storage/artifacts/sha256.h"

namespace hone::server {
namespace {

using feedback::Frozen;
using feedback::HeadJudgment;
using nlohmann::json;

constexpr const char* kFormat = "hone.snapshot/1";

json to_json(const feedback::FrozenAgreement& agreement) {
  const auto& interval = agreement.interval;
  return {{"alpha", or_null(agreement.nominal.alpha)},
          {"low", interval ? json(interval->low) : json(nullptr)},
          {"high", interval ? json(interval->high) : json(nullptr)},
          {"items", agreement.nominal.items},
          {"answers", agreement.nominal.answers},
          {"judges", agreement.judges}};
}

json to_json(const feedback::FrozenStatistics& statistics) {
  return {{"agreement", to_json(statistics.people)},
          {"agreement_all", to_json(statistics.all)},
          {"mean_strength", or_null(statistics.mean_strength)},
          {"slot0_share", or_null(statistics.slot0_share)},
          {"left_share", or_null(statistics.left_share)},
          {"longer_share", or_null(statistics.longer_share)},
          {"tie_share", or_null(statistics.tie_share)},
          {"both_bad_share", or_null(statistics.both_bad_share)}};
}

/// Heads by kind of judge; the three kinds always named.
json count_kinds(const std::vector<HeadJudgment>& heads) {
  json out{{"person", 0}, {"rule", 0}, {"import", 0}};
  for (const auto& head : heads) out[head.kind] = out.value(head.kind, 0) + 1;
  return out;
}

json to_json(const feedback::FrozenJudge& judge,
             const std::vector<storage::CriticVersion>& critics) {
  json out{{"judge", judge.name},
           {"kind", judge.kind},
           {"flip", judge.flip},
           {"judgments", judge.judgments}};
  for (const auto& critic : critics)
    if (critic.judge.value == judge.id)
      out["critic"] = {
          {"name", critic.name}, {"version", critic.version}, {"spec_sha256", critic.spec_sha256}};
  return out;
}

}  // namespace

json answers_of(const storage::Snapshot& snapshot) {
  return stored_json(snapshot.manifest).value("answers", json(nullptr));
}

SnapshotAsked parse_snapshot(const json& given) {
  shared::Fields body(given);
  SnapshotAsked out;
  out.name = body.find_text("name", {1, 200}).value_or("");
  out.prompts =
      body.find_word("contents", {"judgments", "prompts"}).value_or("judgments") == "prompts";
  out.kinds = {"person", "rule", "import"};
  if (out.prompts && body.has("kinds"))
    body.refuse("kinds", "has no meaning in a snapshot of prompts: it holds no judgment");
  if (body.has("kinds")) {
    out.kinds = body.texts("kinds", {1, 20}, 3);
    std::sort(out.kinds.begin(), out.kinds.end());
    out.kinds.erase(std::unique(out.kinds.begin(), out.kinds.end()), out.kinds.end());
    for (const auto& kind : out.kinds)
      if (kind != "person" && kind != "rule" && kind != "import")
        body.refuse("kinds", "must be some of person, rule, import");
    if (out.kinds.empty()) body.refuse("kinds", "names no kind of judge");
  }
  body.done();
  return out;
}

std::string row_line(const Frozen& frozen, const feedback::FrozenRow& row,
                     const std::vector<HeadJudgment>& heads, const storage::ComparisonText& text) {
  auto judgments = json::array();
  for (const std::size_t at : row.judgments) {
    const auto& head = heads[at];
    const auto& judge = frozen.judges[frozen.judge_of[at]];
    judgments.push_back({{"id", head.judgment},
                         {"judge", judge.name},
                         {"kind", head.kind},
                         {"flip", judge.flip},
                         {"strength", or_null(head.strength)},
                         {"verdict", head.verdict}});
  }
  auto responses = json::array();
  for (std::size_t slot = 0; slot < text.responses.size(); ++slot)
    responses.push_back(
        {{"messages", stored_json(text.responses[slot])}, {"sha256", text.response_sha256[slot]}});
  json out{{"comparison", text.id.value},
           {"prompt", stored_json(text.prompt_messages)},
           {"prompt_sha256", text.prompt_sha256},
           {"responses", std::move(responses)},
           {"p", row.p},
           {"strength", row.strength},
           {"split", text.split},
           {"judgments", std::move(judgments)}};
  if (text.answer) out["answer"] = *text.answer;
  return out.dump();
}

std::string row_line(const storage::PromptText& text) {
  json out{{"id", text.id.value},
           {"prompt", stored_json(text.messages)},
           {"prompt_sha256", text.sha256},
           {"split", text.split}};
  if (text.answer) out["answer"] = *text.answer;
  return out.dump();
}

void SnapshotAnswers::add(const std::string& prompt_sha256,
                          const std::optional<std::string>& answer) {
  of_prompt_.try_emplace(prompt_sha256, answer ? storage::sha256_hex(*answer) : std::string());
}

json SnapshotAnswers::described() const {
  storage::Sha256 hash;
  std::size_t answered = 0;
  for (const auto& [prompt, answer] : of_prompt_) {
    if (answer.empty()) continue;
    ++answered;
    hash.update(prompt + ":" + answer + "\n");
  }
  return {{"prompts", of_prompt_.size()},
          {"answered", answered},
          {"sha256", feedback::to_hex(hash.digest())}};
}

json manifest(const Frozen& frozen, const std::vector<HeadJudgment>& heads,
              const storage::Project& project, const std::vector<storage::CriticVersion>& critics,
              const SnapshotAsked& asked, const feedback::OneCoinOptions& options,
              const SnapshotAnswers& answers) {
  auto judges = json::array();
  for (const auto& judge : frozen.judges) judges.push_back(to_json(judge, critics));
  return {{"format", kFormat},
          {"project", {{"id", project.id.value}, {"slug", project.slug}}},
          {"guideline_version", project.guideline_version},
          {"root", feedback::to_hex(frozen.root)},
          {"filter",
           {{"kinds", asked.kinds}, {"heads", "newest of each judge; no skips, no retractions"}}},
          {"split", {{"by", "prompt"}, {"fixed", "at import"}}},
          {"rows",
           {{"train", frozen.train},
            {"held_out", frozen.held_out},
            {"ties", frozen.ties},
            {"both_bad", frozen.both_bad},
            {"total", frozen.rows.size()}}},
          {"answers", answers.described()},
          {"judgments", count_kinds(heads)},
          {"judges", std::move(judges)},
          {"aggregation",
           {{"method", "one_coin"},
            {"prior_flip", options.prior_flip},
            {"prior_weight", options.prior_weight},
            {"flip_min", options.flip_min},
            {"flip_max", options.flip_max},
            {"rounds", options.rounds},
            {"fitted_on", "train"},
            {"critics_weigh_as", 1}}},
          {"statistics", to_json(frozen.statistics)}};
}

json manifest(const feedback::Digest& root, const PromptCounts& counts,
              const storage::Project& project, const SnapshotAnswers& answers) {
  return {{"format", kFormat},
          {"contents", "prompts"},
          {"project", {{"id", project.id.value}, {"slug", project.slug}}},
          {"guideline_version", project.guideline_version},
          {"root", feedback::to_hex(root)},
          {"split", {{"by", "prompt"}, {"fixed", "at import"}}},
          {"rows",
           {{"train", counts.train},
            {"held_out", counts.held_out},
            {"ties", 0},
            {"both_bad", 0},
            {"total", counts.train + counts.held_out}}},
          {"answers", answers.described()},
          {"judgments", count_kinds({})},
          {"judges", json::array()},
          {"aggregation", {{"method", "none"}}},
          {"statistics", to_json(feedback::FrozenStatistics{})}};
}

bool holds_prompts(const storage::Snapshot& snapshot) {
  return stored_json(snapshot.manifest).value("contents", "") == "prompts";
}

json to_json(const storage::Snapshot& snapshot) {
  return {{"id", snapshot.id.value},
          {"project", snapshot.project.value},
          {"number", snapshot.number},
          {"name", snapshot.name},
          {"contents", holds_prompts(snapshot) ? "prompts" : "judgments"},
          {"root", snapshot.root},
          {"artifact_sha256", snapshot.artifact_sha256},
          {"artifact_bytes", snapshot.artifact_bytes},
          {"manifest_sha256", snapshot.manifest_sha256},
          {"rows", stored_json(snapshot.rows)},
          {"answers", answers_of(snapshot)},
          {"judges", stored_json(snapshot.judges)},
          {"statistics", stored_json(snapshot.statistics)},
          {"aggregation", stored_json(snapshot.aggregation)},
          {"created_at", snapshot.created_at}};
}

}  // namespace hone::server
