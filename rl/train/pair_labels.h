// What a method's link wants to know of each pair, out of what the data says of it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "rl/data/pairs.h"
#include "rl/loss/pair_links.h"
#include "rl/train/objective.h"
#include "rl/train/spec.h"

namespace hone::rl {

/// Of "dpo.soft.sum" or "rm.soft": the part after the first dot; Sigmoid where that is no link.
Link link_of(const std::string& method);

/// How the method wants its rows: ties kept where they are modelled, a row per judgment where each
/// judge's own rate of error counts.
PairOptions pair_options(const TrainSpec& spec, std::int64_t max_tokens);

struct LabelledPairs {
  PairLabels labels;
  at::Tensor weight;  ///< [B] in the loss; a comparison's rows together weigh 1
};

LabelledPairs labels_of(const std::vector<Pair>& pairs, const std::vector<std::int64_t>& rows,
                        const TrainSpec& spec);

/// Sum of the rows' weights: what the step's loss is divided by.
double weight_of(const std::vector<Pair>& pairs, const std::vector<std::int64_t>& rows);

/// Share of ties among the rows.
double tie_rate(const std::vector<Pair>& pairs);

/// What the pairs come to.
DataFacts facts_of(const PairData& data);
/// Both answers of a pair behind their prompt; `scored` is said of each.
std::vector<ShownText> show_pair(const Pair& pair, const std::string& scored = "");

}  // namespace hone::rl
