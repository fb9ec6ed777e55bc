#include "services/server/json/labelling.h"

#include <cstdint>

#include "services/server/json/body.h"
#include "services/server/json/values.h"
#include "storage/artifacts/sha256.h"

namespace hone::server {
namespace {

using nlohmann::json;
using shared::Fields;

constexpr std::int64_t kTimeMax = 1'000'000'000;  // ms; eleven days

std::vector<AssignmentId> assignment_ids(Fields& body, const char* name, std::size_t max_items) {
  std::vector<AssignmentId> out;
  for (auto& id : body.texts(name, {36, 36}, max_items)) {
    if (!shared::is_uuid(id)) body.refuse(name, "each item must be an id (a UUID)");
    out.push_back({std::move(id)});
  }
  return out;
}

storage::Timing parse_timing(Fields& body) {
  storage::Timing out;
  auto timing = body.find_object("timing");
  if (!timing) return out;
  out.shown_ms = timing->find_integer("shown_ms", 0, kTimeMax);
  out.first_input_ms = timing->find_integer("first_input_ms", 0, kTimeMax);
  out.active_ms = timing->find_integer("active_ms", 0, kTimeMax);
  out.away_ms = timing->find_integer("away_ms", 0, kTimeMax);
  timing->done();
  return out;
}

json to_json(const storage::LastAnswer& answer) {
  return {{"verdict", answer.verdict},
          {"strength", or_null(answer.pressed)},
          {"skip_reason", or_null(answer.skip_reason)}};
}

}  // namespace

storage::Ask parse_ask(const json& given) {
  Fields body(given);
  storage::Ask out;
  out.n = static_cast<int>(body.find_integer("n", 1, 3).value_or(1));
  if (body.has("holding")) out.holding = assignment_ids(body, "holding", 20);
  body.done();
  return out;
}

std::vector<AssignmentId> parse_assignments(const json& given) {
  Fields body(given);
  auto out = assignment_ids(body, "ids", 20);
  body.done();
  return out;
}

storage::NewJudgment parse_judgment(const httpd::Request& request) {
  storage::NewJudgment out;
  out.submit_key = required_key(request);
  out.body_sha256 = storage::sha256_hex(request.body);

  const json given = parse_body(request);
  Fields body(given);
  out.impression = ImpressionId{body.uuid("impression")};
  feedback::Answer answer;
  answer.verdict =
      *feedback::parse_verdict(body.word("verdict", {"prefer", "tie", "both_bad", "skip"}));
  if (const auto strength = body.find_integer("strength", -3, 3))
    answer.strength = static_cast<int>(*strength);
  if (const auto reason = body.find_word("skip_reason", {"cannot_judge", "unclear", "offensive",
                                                         "wrong_language", "too_long", "other"}))
    answer.skip_reason = feedback::parse_skip_reason(*reason);
  out.timing = parse_timing(body);
  body.done();
  out.answer = feedback::check_answer(answer);
  return out;
}

json to_json(const storage::Item& item) {
  return {{"assignment", item.assignment.value},
          {"impression", item.impression.value},
          {"lease_until", item.lease_until},
          {"prompt", stored_json(item.prompt)},
          {"left", stored_json(item.left)},
          {"right", stored_json(item.right)},
          {"answer", item.answer ? to_json(*item.answer) : json(nullptr)}};
}

json to_json(const storage::HandedOut& handed_out) {
  auto items = json::array();
  for (const auto& item : handed_out.items) items.push_back(to_json(item));
  const bool waiting = !handed_out.reason.empty();
  return {{"items", std::move(items)},
          {"reason", waiting ? json(handed_out.reason) : json(nullptr)},
          {"retry_after", waiting && handed_out.retry_after_s > 0 ? json(handed_out.retry_after_s)
                                                                  : json(nullptr)}};
}

json to_json(const storage::MyJudgment& judgment) {
  return {{"id", judgment.id.value},           {"assignment", judgment.assignment.value},
          {"verdict", judgment.verdict},       {"strength", or_null(judgment.pressed)},
          {"created_at", judgment.created_at}, {"retracted", judgment.retracted}};
}

json to_json(const storage::MyStats& stats) {
  return {{"today", stats.today}, {"total", stats.total}, {"median_s", or_null(stats.median_s)}};
}

}  // namespace hone::server
