#include "services/cli/reward_words.h"

#include <fmt/format.h>

#include <cstdint>
#include <utility>

#include "feedback/base/error.h"
#include "services/cli/remote.h"
#include "services/shared/json.h"

namespace hone::cli {

using nlohmann::json;

std::string version_id(HttpClient& client, const std::string& word) {
  if (shared::is_uuid(word)) return word;
  const auto slash = word.find('/');
  const auto name = word.substr(0, slash);
  const auto model = client.get("/api/v1/models/" + encode(name));
  const auto number = slash == std::string::npos
                          ? json(model.value("latest_version", json(nullptr))).dump()
                          : word.substr(slash + 1);
  for (const auto& version : model.at("versions"))
    if (json(version.at("version")).dump() == number) return text_of(version, "id");
  throw Error(
      Code::NotFound,
      "model " + name + (number == "null" ? " has no version yet" : " has no version " + number));
}

json reward_of(HttpClient& client, const std::string& project, const std::string& word) {
  if (const auto whole = json::parse(word, nullptr, false); whole.is_object()) return whole;
  const auto equals = word.find('=');
  const auto kind = word.substr(0, equals);
  const auto value = equals == std::string::npos ? std::string() : word.substr(equals + 1);
  if (kind == "critic") return {{"critic", critic_id(client, project, value)}};
  if (kind == "model") return {{"model", version_id(client, value)}};
  if (kind == "length") {
    const auto tokens = json::parse(value, nullptr, false);
    return {{"type", "length"}, {"tokens", tokens.is_discarded() ? json(value) : tokens}};
  }
  if (kind == "regex") return {{"type", "regex"}, {"pattern", value}};
  if (kind == "exact_answer")
    return {{"type", "exact_answer"}, {"form", value.empty() ? "strict" : value}};
  throw Error(Code::Invalid,
              "a reward is critic=NAME, model=NAME[/VERSION], length=TOKENS, regex=PATTERN, "
              "exact_answer or a JSON object, not \"" +
                  word + "\"");
}

std::vector<std::vector<std::string>> evaluation_rows(const json& evaluation) {
  std::vector<std::vector<std::string>> rows;
  if (!evaluation.is_object()) return rows;
  const auto values = evaluation.value("values", json::object());
  const auto find = [&](const std::string& name) -> const json* {
    const auto found = values.find(name);
    return found != values.end() && found->is_number() ? &*found : nullptr;
  };
  const auto percent = [](const json& v) { return fmt::format("{:.1f} %", 100 * v.get<double>()); };
  const auto share = [&](const char* title, const std::string& name, const std::string& interval) {
    const auto* value = find(name);
    if (!value) return;
    const auto *low = find(interval + "/low"), *high = find(interval + "/high");
    rows.push_back({title, percent(*value) + (low && high ? " (95 % interval " + percent(*low) +
                                                                " to " + percent(*high) + ")"
                                                          : "")});
  };
  const auto number = [&](const char* title, const std::string& name) {
    if (const auto* value = find(name))
      rows.push_back({title, fmt::format("{:.4g}", value->get<double>())});
  };
  const std::string held = "eval/held_out/", rm = held + "rm/";
  for (const char* kind : {"pairs", "conversations", "answers"})
    if (const auto* count = find(held + kind))
      rows.push_back({std::string("held-out ") + kind, std::to_string(count->get<std::int64_t>())});
  share("win rate against the base", "eval/prompts/win_rate", "eval/prompts/win_rate");
  share("pairs ranked right", rm + "accuracy", held + "accuracy");
  share("by always taking the longer", rm + "accuracy/longer", rm + "accuracy/longer");
  if (const auto* longer = find(rm + "accuracy/longer"))
    rows.push_back({"by always taking the shorter", percent(1 - longer->get<double>())});
  share("pairs ranked right", held + "pref/accuracy", held + "accuracy");
  number("surprise a pair (nats)", rm + "nll");
  number("surprise, calibrated", rm + "nll/calibrated");
  number("calibration error", rm + "ece");
  number("calibration error, calibrated", rm + "ece/calibrated");
  number("temperature", rm + "temperature");
  number("score against length (correlation)", rm + "length_corr");
  number("gold reward", held + "rl/gold");
  number("reward trained on", held + "rl/proxy");
  number("KL to the base (nats an answer)", held + "rl/gold/kl");
  number("loss", held + "loss");
  return rows;
}

}  // namespace hone::cli
