#include "services/worker/run_event.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "feedback/base/error.h"
#include "services/shared/json.h"

namespace hone::worker {
namespace {

constexpr std::size_t kTextMax = 2000;

std::optional<RunEvent::Type> type_of(std::string_view name) {
  if (name == "progress") return RunEvent::Type::Progress;
  if (name == "metrics") return RunEvent::Type::Metrics;
  if (name == "checkpoint") return RunEvent::Type::Checkpoint;
  if (name == "evaluation") return RunEvent::Type::Evaluation;
  if (name == "message") return RunEvent::Type::Message;
  return std::nullopt;
}

RunEvent typed(RunEvent::Type type, const nlohmann::json& json) {
  shared::Fields fields(json);
  RunEvent event;
  event.type = type;
  switch (type) {
    case RunEvent::Type::Progress:
      event.stage = fields.text("stage", {1, 40});
      break;
    case RunEvent::Type::Metrics:
      event.step = fields.integer("step", 0, INT64_MAX);
      fields.object("values");
      break;
    case RunEvent::Type::Checkpoint:
      event.step = fields.integer("step", 0, INT64_MAX);
      event.path = fields.text("path", {1, 400});
      break;
    case RunEvent::Type::Evaluation:
      fields.object("values");
      break;
    case RunEvent::Type::Message:
      event.level = fields.word("level", {"info", "warning"});
      event.text = fields.text("text", {1, kTextMax});
      break;
  }
  return event;
}

}  // namespace

std::optional<RunEvent> parse_run_event(std::string_view line) {
  try {
    auto json = shared::parse_json(line);
    shared::Fields fields(json);
    const auto type = type_of(fields.text("type", {1, 40}));
    if (!type) return std::nullopt;
    auto event = typed(*type, json);
    json.erase("type");
    event.data = json.dump();
    return event;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<RunEvent> ProgressGate::offer(RunEvent event, Time now) {
  const bool other_stage = event.stage != stage_;
  if (passed_ && !other_stage && now - *passed_ < kInterval) {
    kept_ = std::move(event);
    return std::nullopt;
  }
  stage_ = event.stage;
  passed_ = now;
  kept_.reset();
  return event;
}

std::optional<RunEvent> ProgressGate::due(Time now) {
  if (!kept_ || now - *passed_ < kInterval) return std::nullopt;
  passed_ = now;
  return std::exchange(kept_, std::nullopt);
}

std::optional<RunEvent> ProgressGate::flush() { return std::exchange(kept_, std::nullopt); }

}  // namespace hone::worker
