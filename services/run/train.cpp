#include "services/run/train.h"

#include <nlohmann/json.hpp>

#include "rl/formats/files.h"
#include "rl/train/run.h"
#include "services/run/events.h"
#include "services/run/failures.h"
#include "services/run/train_spec.h"

namespace hone::run {

int train(const nlohmann::json& json, const std::filesystem::path& folder,
          nlohmann::ordered_json& result) {
  const auto spec = parse_train_spec(json, folder);
  std::filesystem::create_directories(spec.out);
  rl::write_file(spec.out / "spec.resolved.json", resolved_json(spec));
  EventWriter events(spec.out);
  const auto outcome = rl::run_training(spec, events);
  result = {{"ok", outcome.finished},
            {"steps", outcome.steps},
            {"tokens", outcome.tokens},
            {"train_s", outcome.train_s}};
  result["evaluation"] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : outcome.evaluation.values()) result["evaluation"][name] = value;
  if (outcome.finished) return kDone;
  result["blame"] = "infra";
  result["code"] = "stopped";
  result["detail"] = "told to stop; the next attempt goes on from the last checkpoint";
  result["step"] = outcome.steps;
  return kTryAgain;
}

}  // namespace hone::run
