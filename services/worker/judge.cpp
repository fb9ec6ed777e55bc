// A judge job: a rule critic reads every comparison that it has not judged yet. In this process,
// since it needs no model.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <thread>

#include "feedback/base/error.h"
#include "services/shared/json.h"
#include "services/shared/rule_critic.h"
#include "services/worker/attempt.h"
#include "services/worker/job_spec.h"

namespace hone::worker {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr int kComparisonsAPage = 200;

struct Tally {
  std::int64_t judged = 0;
  std::int64_t refused =
      0;  // a pattern ran out of its bounds: no verdict rather than an invented one
};

// One page of verdicts as the rows that storage takes.
json verdicts(const shared::RuleCritic& critic, const std::vector<storage::JobComparison>& page,
              Tally& tally) {
  auto rows = json::array();
  for (const auto& comparison : page) {
    const auto prompt = text_of_messages(shared::parse_json(comparison.prompt));
    const auto a = text_of_messages(shared::parse_json(comparison.slot0));
    const auto b = text_of_messages(shared::parse_json(comparison.slot1));
    try {
      const auto verdict = critic.compare(prompt, a, b);
      // A tie is strength 0; two bad answers have none.
      const bool compared = verdict.choice != feedback::CriticChoice::BothBad;
      rows.push_back({{"comparison_id", comparison.id.value},
                      {"verdict", feedback::to_string(verdict.choice)},
                      {"strength", compared ? json(verdict.strength) : json(nullptr)},
                      {"detail", {{"score_a", verdict.score_a}, {"score_b", verdict.score_b}}}});
      ++tally.judged;
    } catch (const Error&) {
      ++tally.refused;
    }
  }
  return rows;
}

// Not a process that can be paused: between two pages it looks at its lease by itself. Nothing
// while all is well.
std::optional<Outcome> told_to_stop(Attempt& attempt) {
  while (attempt.heartbeat.state() == Heartbeat::State::InDoubt && !attempt.stop.stop_requested())
    std::this_thread::sleep_for(100ms);
  if (attempt.heartbeat.state() == Heartbeat::State::Lost) throw LeaseLost();
  if (attempt.heartbeat.cancel_requested()) return outcome_of({}, Ended::Cancelled, {});
  if (attempt.stop.stop_requested()) return outcome_of({}, Ended::Drained, {});
  return std::nullopt;
}

}  // namespace

Ending carry_out_judge(Attempt& attempt) {
  const auto inputs =
      attempt.patiently([&](storage::Tx& tx) { return storage::job_inputs(tx, attempt.lease); });
  if (!inputs.critic) throw Error(Code::Invalid, "a judge job without a critic");
  const auto critic = shared::RuleCritic::parse(inputs.critic->spec);
  if (auto stopped = attempt.advance("running")) return {.outcome = *stopped};

  Tally tally;
  ComparisonId after;
  std::optional<steady_clock::time_point> told;
  while (true) {
    if (auto stopped = told_to_stop(attempt)) return {.outcome = *stopped};
    const auto page = attempt.patiently([&](storage::Tx& tx) {
      return storage::job_comparisons(tx, attempt.lease, after, kComparisonsAPage);
    });
    if (page.empty()) break;
    after = page.back().id;
    const auto rows = verdicts(critic, page, tally).dump();
    const auto added = attempt.patiently(
        [&](storage::Tx& tx) { return storage::record_critic_judgments(tx, attempt.lease, rows); });
    if (added.written == storage::Written::Stale) throw LeaseLost();

    const auto now = steady_clock::now();
    if (!told || now - *told >= 1s) {
      told = now;
      attempt.progress("judge", tally.judged + tally.refused, inputs.comparisons);
    }
  }
  if (tally.refused > 0)
    attempt.warn(
        std::to_string(tally.refused) +
        " comparisons have no verdict: a pattern needed more than its bounded work on them");
  if (!attempt.recorder.finish()) throw LeaseLost();
  return {.outcome = Outcome{.kind = Outcome::Kind::Succeeded, .blame = Blame::None},
          .result = json{{"judged", tally.judged}, {"without_verdict", tally.refused}}.dump()};
}

}  // namespace hone::worker
