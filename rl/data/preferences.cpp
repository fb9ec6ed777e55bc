#include "rl/data/preferences.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace hone::rl {
namespace {

using Verdict = JudgmentLabel::Verdict;

JudgmentLabel judgment_of(const RowFields& row) {
  JudgmentLabel out;
  out.judge = row.text("judge");
  out.kind = row.find_text("kind").value_or("");
  const auto verdict = row.text("verdict");
  if (verdict == "prefer")
    out.verdict = Verdict::Prefer;
  else if (verdict == "tie")
    out.verdict = Verdict::Tie;
  else if (verdict == "both_bad")
    out.verdict = Verdict::BothBad;
  else
    row.refuse("verdict", "must be \"prefer\", \"tie\" or \"both_bad\"");
  out.strength = row.find_number("strength", -3, 3).value_or(0);
  if (out.verdict == Verdict::Prefer && out.strength == 0)
    row.refuse("strength", "must not be 0: its sign says which answer is preferred");
  out.first = out.strength > 0;
  out.flip = row.find_number("flip", 0, 1);
  return out;
}

}  // namespace

PreferenceRow snapshot_row(const RowFields& row) {
  PreferenceRow out;
  out.line = row.line();
  out.prompt = prompt_of(row, "prompt");
  const auto& responses = row.at("responses");
  if (!responses.is_array() || responses.size() != 2)
    row.refuse("responses", "must be a list of two");
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string at = "responses/" + std::to_string(i) + "/";
    const RowFields response(responses[i], row.line(), at);
    out.fields[i] = at + "messages";
    out.acceptable[i] = response.find_flag("acceptable");
    if (has_several_turns(response, "messages"))
      out.several_turns = true;
    else
      out.answers[i] = response_of(response, "messages");
  }
  out.p = row.number("p", 0, 1);
  out.tie = out.p == 0.5;
  out.aggregated = true;
  if (row.has("judgments")) {
    const auto& judgments = row.at("judgments");
    if (!judgments.is_array()) row.refuse("judgments", "must be a list");
    for (std::size_t i = 0; i < judgments.size(); ++i)
      out.judgments.push_back(
          judgment_of(RowFields(judgments[i], row.line(), "judgments/" + std::to_string(i) + "/")));
    out.both_bad = !out.judgments.empty() &&
                   std::all_of(out.judgments.begin(), out.judgments.end(),
                               [](const auto& j) { return j.verdict == Verdict::BothBad; });
  }
  out.held_out = is_held_out(row);
  out.slice = slice_of(row);
  return out;
}

PreferenceRow trl_row(const RowFields& row) {
  PreferenceRow out;
  out.line = row.line();
  out.prompt = prompt_of(row, "prompt");
  out.fields[0] = "chosen";
  out.fields[1] = "rejected";
  out.several_turns = has_several_turns(row, "chosen") || has_several_turns(row, "rejected");
  if (!out.several_turns)
    for (int i = 0; i < 2; ++i) out.answers[i] = response_of(row, out.fields[i]);

  const auto p = row.find_number("p", 0.5, 1);  // of the chosen one; below even it were not chosen
  out.both_bad = row.find_flag("both_bad").value_or(false);
  const auto tie = row.find_flag("tie");
  if (tie.value_or(false) && p && *p != 0.5)
    row.refuse("p", "must be 0.5, or left out, where \"tie\" is true");
  if (tie && !*tie && p && *p == 0.5) row.refuse("tie", "must be true where \"p\" is 0.5");
  out.p = tie.value_or(false) || out.both_bad ? 0.5 : p.value_or(1);
  out.tie = out.p == 0.5;

  if (row.has("strength") && row.has("margin"))
    row.refuse("margin", "is another word for \"strength\": give one of them");
  const auto strength = row.find_number(row.has("margin") ? "margin" : "strength", 0, 3);
  const auto judge = row.find_text("judge");
  const auto flip = row.find_number("flip", 0, 1);
  if (judge || flip || strength)
    out.judgments.push_back({.judge = judge.value_or(""),
                             .kind = "",
                             .verdict = out.both_bad ? Verdict::BothBad
                                        : out.tie    ? Verdict::Tie
                                                     : Verdict::Prefer,
                             .strength = strength.value_or(0),
                             .first = true,
                             .flip = flip});
  out.acceptable[0] = row.find_flag("chosen_acceptable");
  out.acceptable[1] = row.find_flag("rejected_acceptable");
  out.held_out = is_held_out(row);
  out.slice = slice_of(row);
  return out;
}

}  // namespace hone::rl
