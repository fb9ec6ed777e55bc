// SentencePiece's byte-pair models keep a score for each token where others keep ranked pairs.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace hone::rl {

using Merges = std::vector<std::pair<std::string, std::string>>;

/// Neighbours join when the joined text is a token, the highest score first. As ranked pairs: every
/// way to cut a token in two tokens, by the whole's score; of equals the longer left half first, as
/// transformers converts such models. Only tokens with `piece` set take part.
Merges merges_of_scores(const std::vector<std::string>& tokens, const std::vector<bool>& piece,
                        const std::vector<double>& scores);

/// Scores that merges_of_scores turns into these merges: the sooner a token's first merge, the
/// higher. For other tokens lower than all.
std::vector<double> scores_of_merges(const std::vector<std::string>& tokens, const Merges& merges);

}  // namespace hone::rl
