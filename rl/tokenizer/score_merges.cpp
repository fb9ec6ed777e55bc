#include "rl/tokenizer/score_merges.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "rl/tokenizer/utf8.h"

namespace hone::rl {

Merges merges_of_scores(const std::vector<std::string>& tokens, const std::vector<bool>& piece,
                        const std::vector<double>& scores) {
  std::unordered_set<std::string_view> pieces;
  for (std::size_t id = 0; id < tokens.size(); ++id)
    if (piece[id] && !tokens[id].empty()) pieces.insert(tokens[id]);

  struct Cut {
    double score;
    std::string_view left, right;
  };
  std::vector<Cut> cuts;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (!piece[id] || tokens[id].empty()) continue;
    const std::string_view text = tokens[id];
    for (std::size_t at = code_point_at(text, 0).size; at < text.size();
         at += code_point_at(text, at).size)
      if (pieces.contains(text.substr(0, at)) && pieces.contains(text.substr(at)))
        cuts.push_back({scores[id], text.substr(0, at), text.substr(at)});
  }
  std::ranges::sort(cuts, [](const Cut& a, const Cut& b) {
    return std::tuple(b.score, b.left.size(), b.right.size(), a.left) <
           std::tuple(a.score, a.left.size(), a.right.size(), b.left);
  });
  Merges merges;
  merges.reserve(cuts.size());
  for (const auto& cut : cuts) merges.emplace_back(cut.left, cut.right);
  return merges;
}

std::vector<double> scores_of_merges(const std::vector<std::string>& tokens, const Merges& merges) {
  std::unordered_map<std::string, double> by_token;
  for (const auto& [left, right] : merges)
    by_token.emplace(left + right, -static_cast<double>(by_token.size()));
  std::vector<double> scores(tokens.size(), -static_cast<double>(by_token.size()));
  for (std::size_t id = 0; id < tokens.size(); ++id)
    if (const auto found = by_token.find(tokens[id]); found != by_token.end())
      scores[id] = found->second;
  return scores;
}

}  // namespace hone::rl
