#include "rl/data/pairs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "feedback/base/error.h"
#include "rl/data/preferences.h"
#include "rl/data/row_tokens.h"
#include "rl/formats/files.h"

namespace hone::rl {
namespace {

using Ties = PairOptions::Ties;
using Unit = PairOptions::Unit;
using Verdict = JudgmentLabel::Verdict;

constexpr std::uint64_t kFileLimit = std::uint64_t{4} << 30;

/// Numbers the judges, and keeps out those who say nothing.
class Judges {
 public:
  explicit Judges(PairData& data) : data_(data) {}

  bool excludes(const JudgmentLabel& judgment) {
    if (!judgment.flip || *judgment.flip < kFlipMax) return false;
    excluded_.insert(judgment.judge);
    data_.judges_excluded = static_cast<std::int64_t>(excluded_.size());
    return true;
  }

  /// Nothing for a judge without a name.
  std::optional<std::uint32_t> number_of(const JudgmentLabel& judgment) {
    if (judgment.judge.empty()) return std::nullopt;
    const auto [entry, fresh] =
        numbers_.emplace(judgment.judge, static_cast<std::uint32_t>(data_.judges.size()));
    if (fresh) data_.judges.push_back(judgment.judge);
    return entry->second;
  }

 private:
  PairData& data_;
  std::map<std::string, std::uint32_t> numbers_;
  std::set<std::string> excluded_;
};

/// What one pair says about a row's answers.
struct Labels {
  bool first = true;  // is the chosen one
  double p = 1, strength = 0, flip = 0, weight = 1;
  bool tie = false;
  std::vector<std::uint32_t> judges = {};
};

double flip_of(const JudgmentLabel& judgment) {
  return judgment.flip ? std::clamp(*judgment.flip, kFlipMin, kFlipMax) : 0;
}

Labels of_comparison(const PreferenceRow& row, const std::vector<JudgmentLabel>& judgments,
                     Judges& judges) {
  Labels out;
  out.first = row.p >= 0.5;
  out.p = out.first ? row.p : 1 - row.p;
  out.tie = row.tie;
  double strengths = 0, flips = 0;
  std::int64_t with_strength = 0, with_flip = 0;
  for (const auto& judgment : judgments) {
    if (judgment.verdict == Verdict::BothBad) continue;
    if (const auto number = judges.number_of(judgment)) out.judges.push_back(*number);
    if (judgment.strength != 0 || judgment.verdict == Verdict::Tie) {
      strengths += judgment.strength;
      ++with_strength;
    }
    if (judgment.flip) {
      flips += flip_of(judgment);
      ++with_flip;
    }
  }
  // A side may be the likelier one although the others were surer of theirs: the probability
  // counts who is right how often, the strength only how much better. Then nothing is left of it.
  if (with_strength > 0)
    out.strength =
        std::max(0.0, (out.first ? strengths : -strengths) / static_cast<double>(with_strength));
  if (out.tie) out.strength = 0;
  if (with_flip > 0) out.flip = flips / static_cast<double>(with_flip);
  return out;
}

/// One for each judgment that prefers, and with Ties::Keep one for each that ties.
std::vector<Labels> of_judgments(const std::vector<JudgmentLabel>& judgments, Ties ties,
                                 Judges& judges) {
  std::vector<Labels> out;
  for (const auto& judgment : judgments) {
    const bool tie = judgment.verdict == Verdict::Tie;
    if (judgment.verdict == Verdict::BothBad || (tie && ties == Ties::Drop)) continue;
    Labels one;
    one.first = tie || judgment.first;
    one.tie = tie;
    one.p = tie ? 0.5 : 1;
    one.strength = std::abs(judgment.strength);
    one.flip = flip_of(judgment);
    if (const auto number = judges.number_of(judgment)) one.judges.push_back(*number);
    out.push_back(std::move(one));
  }
  for (auto& one : out) one.weight = 1 / static_cast<double>(out.size());
  return out;
}

/// What the row comes to; empty for one that is counted as left out.
std::vector<Labels> labels_of(const PreferenceRow& row, const PairOptions& options, Judges& judges,
                              PairData& data) {
  if (row.both_bad) {
    ++data.both_bad;
    return {};
  }
  if (row.several_turns) {
    ++(row.tie && options.ties == Ties::Drop ? data.ties : data.several_turns);
    return {};
  }
  std::vector<JudgmentLabel> judgments;
  for (const auto& judgment : row.judgments)
    if (!judges.excludes(judgment)) judgments.push_back(judgment);
  if (judgments.empty() && !row.judgments.empty()) {
    ++data.unjudged;
    return {};
  }
  std::vector<Labels> out;
  if (options.unit == Unit::Judgment && row.aggregated && !judgments.empty())
    out = of_judgments(judgments, options.ties, judges);
  else if (!row.tie || options.ties == Ties::Keep)
    out.push_back(of_comparison(row, judgments, judges));
  if (out.empty()) ++data.ties;
  return out;
}

Pair pair_of(const PreferenceRow& row, const Labels& labels, const Ids& prompt, const Ids& first,
             const Ids& second) {
  return {.prompt = prompt,
          .chosen = labels.first ? first : second,
          .rejected = labels.first ? second : first,
          .line = row.line,
          .p = labels.p,
          .strength = labels.strength,
          .tie = labels.tie,
          .flip = labels.flip,
          .weight = labels.weight,
          .judges = labels.judges,
          .chosen_acceptable = row.acceptable[labels.first ? 0 : 1],
          .rejected_acceptable = row.acceptable[labels.first ? 1 : 0],
          .slice = row.slice};
}

[[noreturn]] void refuse_empty(const PairData& data, std::int64_t rows) {
  throw Error(Code::Invalid,
              "there are no pairs to train on: of " + std::to_string(rows) + " rows, " +
                  std::to_string(data.ties) + " are ties, " + std::to_string(data.both_bad) +
                  " have two bad answers, " + std::to_string(data.too_long) + " are too long, " +
                  std::to_string(data.several_turns) + " hold answers of several turns, " +
                  std::to_string(data.unjudged) +
                  " were judged only by judges who are as good as chance, and " +
                  std::to_string(data.held_out.size()) + " pairs are held out",
              "data");
}

}  // namespace

PairData read_pairs(const std::filesystem::path& path, const TextRules& rules,
                    const PairOptions& options) {
  const std::string text = read_file(path, kFileLimit);
  PairData data;
  data.sha256 = sha256_of(text);
  Judges judges(data);
  Repeats repeats;
  std::optional<bool> snapshot;
  const auto rows = for_each_row(text, [&](const nlohmann::json& json, std::int64_t line) {
    const RowFields fields(json, line);
    if (!snapshot) snapshot = fields.has("responses");
    const auto row = *snapshot ? snapshot_row(fields) : trl_row(fields);
    const auto labels = labels_of(row, options, judges, data);
    if (labels.empty()) return;

    const auto prompt = row_prompt(rules, row.prompt, line, "prompt");
    Ids answers[2];
    for (int i = 0; i < 2; ++i)
      answers[i] = row_response(rules, row.prompt, row.answers[i], line, row.fields[i]);
    const auto longest = prompt.size() + std::max(answers[0].size(), answers[1].size());
    if (static_cast<std::int64_t>(longest) > options.max_tokens) {
      ++data.too_long;
      return;
    }
    for (const auto& answer : row.answers)
      data.boundary_merges += merges_at_boundary(rules, row.prompt, answer, prompt);
    const bool first = labels.front().first;
    repeats.add(line, row.held_out, prompt, {&answers[first ? 0 : 1], &answers[first ? 1 : 0]});
    for (const auto& one : labels)
      (row.held_out ? data.held_out : data.train)
          .push_back(pair_of(row, one, prompt, answers[0], answers[1]));
  });
  data.duplicates = repeats.duplicates();
  data.leaked_prompts = repeats.leaked_prompts();
  data.leaked_line = repeats.leaked_line();
  refuse_many_too_long(data.too_long, rows, options.max_tokens);
  if (data.train.empty()) refuse_empty(data, rows);
  return data;
}

}  // namespace hone::rl
