#include "services/run/train.h"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "rl/formats/files.h"
#include "rl/train/run.h"
#include "rl/train/seeds.h"
#include "services/run/events.h"
#include "services/run/failures.h"
#include "services/run/train_spec.h"

namespace hone::run {
namespace {

using Json = nlohmann::ordered_json;

Json result_of(bool finished, std::int64_t steps, std::int64_t tokens, double train_s,
               const rl::Values& evaluation) {
  Json out = {{"ok", finished}, {"steps", steps}, {"tokens", tokens}, {"train_s", train_s}};
  out["evaluation"] = Json::object();
  for (const auto& [name, value] : evaluation) out["evaluation"][name] = value;
  if (finished) return out;
  out["blame"] = "infra";
  out["code"] = "stopped";
  out["detail"] = "told to stop; the next attempt goes on from the last checkpoint";
  out["step"] = steps;
  return out;
}

}  // namespace

int train(const nlohmann::json& json, const std::filesystem::path& folder,
          nlohmann::ordered_json& result) {
  auto spec = parse_train_spec(json, folder);
  identify_models(spec);
  std::filesystem::create_directories(spec.out);
  rl::write_file(spec.out / "spec.resolved.json", resolved_json(spec));
  EventWriter events(spec.out);
  if (spec.seeds.size() > 1) {
    const auto o = rl::run_seeds(spec, events);
    result = result_of(o.finished, o.steps, o.tokens, o.train_s, o.evaluation);
    result["seeds"] = {{"asked", spec.seeds}, {"failed", o.failed}, {"published", o.published}};
    return o.finished ? kDone : kTryAgain;
  }
  const auto o = rl::run_training(spec, events);
  result = result_of(o.finished, o.steps, o.tokens, o.train_s, o.evaluation.values());
  return o.finished ? kDone : kTryAgain;
}

}  // namespace hone::run
