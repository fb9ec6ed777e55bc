#include "rl/train/pair_labels.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

namespace hone::rl {
namespace {

constexpr std::array<std::pair<std::string_view, Link>, 8> kLinks = {{
    {"sigmoid", Link::Sigmoid},
    {"soft", Link::Soft},
    {"debiased", Link::Debiased},
    {"flip", Link::Flip},
    {"margin", Link::Margin},
    {"hinge", Link::Hinge},
    {"rk", Link::RaoKupper},
    {"ordinal", Link::Ordinal},
}};

/// [B] f32 of a number for each row.
template <class Number>
at::Tensor column(const std::vector<Pair>& pairs, const std::vector<std::int64_t>& rows,
                  const Number& number) {
  auto out = at::empty({static_cast<std::int64_t>(rows.size())}, at::kFloat);
  for (std::size_t i = 0; i < rows.size(); ++i)
    out.data_ptr<float>()[i] = static_cast<float>(number(pairs[static_cast<std::size_t>(rows[i])]));
  return out;
}

/// The strength as a whole step, 1..3; a preference of unknown strength is the slightest.
double step_of(const Pair& pair) {
  return pair.tie ? 0 : std::clamp(std::round(pair.strength), 1.0, 3.0);
}

}  // namespace

Link link_of(const std::string& method) {
  const auto from = method.find('.');
  if (from == std::string::npos) return Link::Sigmoid;
  const auto word = method.substr(from + 1, method.find('.', from + 1) - from - 1);
  const auto found =
      std::find_if(kLinks.begin(), kLinks.end(), [&](const auto& l) { return l.first == word; });
  return found == kLinks.end() ? Link::Sigmoid : found->second;
}

PairOptions pair_options(const TrainSpec& spec, std::int64_t max_tokens) {
  PairOptions options{.max_tokens = max_tokens};
  const auto link = link_of(spec.method->name);
  if (link == Link::RaoKupper || link == Link::Ordinal || link == Link::Soft)
    options.ties = PairOptions::Ties::Keep;
  if ((link == Link::Flip || link == Link::Debiased) && !spec.settings.find_number("flip_rate"))
    options.unit = PairOptions::Unit::Judgment;
  return options;
}

LabelledPairs labels_of(const std::vector<Pair>& pairs, const std::vector<std::int64_t>& rows,
                        const TrainSpec& spec) {
  const auto& s = spec.settings;
  LabelledPairs out;
  out.weight = column(pairs, rows, [](const Pair& p) { return p.weight; });
  switch (link_of(spec.method->name)) {
    case Link::Soft: {
      const double smoothing = s.has("label_smoothing") ? s.number("label_smoothing") : 0;
      out.labels.p = column(pairs, rows, [&](const Pair& p) {
        return (1 - smoothing) * p.p + smoothing * (1 - p.p);
      });
      break;
    }
    case Link::Flip:
    case Link::Debiased: {
      const auto given = s.find_number("flip_rate");
      // A row whose judges are unknown is believed as much as anyone may be.
      out.labels.flip = column(
          pairs, rows, [&](const Pair& p) { return given ? *given : std::max(p.flip, kFlipMin); });
      break;
    }
    case Link::Margin: {
      const double scale = s.number("margin_scale");
      out.labels.margin = column(pairs, rows, [&](const Pair& p) { return scale * p.strength; });
      break;
    }
    case Link::RaoKupper:
      out.labels.tie = column(pairs, rows, [](const Pair& p) { return p.tie; });
      break;
    case Link::Ordinal:
      out.labels.step = column(pairs, rows, step_of);
      break;
    case Link::Sigmoid:
    case Link::Hinge:
      break;
  }
  return out;
}

double weight_of(const std::vector<Pair>& pairs, const std::vector<std::int64_t>& rows) {
  double sum = 0;
  for (const auto row : rows) sum += pairs[static_cast<std::size_t>(row)].weight;
  return sum;
}

double tie_rate(const std::vector<Pair>& pairs) {
  const auto ties = std::count_if(pairs.begin(), pairs.end(), [](const Pair& p) { return p.tie; });
  return pairs.empty() ? 0 : static_cast<double>(ties) / static_cast<double>(pairs.size());
}

DataFacts facts_of(const PairData& data) {
  DataFacts f{.sha256 = data.sha256,
              .rows_name = "preference pairs",
              .train = static_cast<std::int64_t>(data.train.size()),
              .held_out = static_cast<std::int64_t>(data.held_out.size()),
              .counts = {{"ties", data.ties},
                         {"both_bad", data.both_bad},
                         {"too_long", data.too_long},
                         {"several_turns", data.several_turns},
                         {"unjudged", data.unjudged},
                         {"judges_excluded", data.judges_excluded},
                         {"duplicates", data.duplicates},
                         {"leaked_prompts", data.leaked_prompts}},
              .dropped = data.dropped(),
              .boundary_merges = data.boundary_merges,
              .leaked_prompts = data.leaked_prompts,
              .leaked_line = data.leaked_line};
  for (const auto& pair : data.train) {
    const auto answers = static_cast<std::int64_t>(pair.chosen.size() + pair.rejected.size()),
               tokens = static_cast<std::int64_t>(pair.prompt.size()) + answers;
    f.longest = std::max(f.longest, tokens);
    f.tokens += tokens;
    f.loss_tokens += answers;
  }
  return f;
}

std::vector<ShownText> show_pair(const Pair& pair, const std::string& scored) {
  const auto what = [&](const char* side) {
    return (pair.tie ? std::string("one of a tie") : std::string(side)) + scored;
  };
  return {shown(what("chosen"), pair.line, pair.prompt, pair.chosen, Mark::Learnt),
          shown(what("rejected"), pair.line, pair.prompt, pair.rejected,
                pair.tie ? Mark::Learnt : Mark::Against)};
}

}  // namespace hone::rl
