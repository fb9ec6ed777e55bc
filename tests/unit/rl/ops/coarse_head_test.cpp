#include "rl/ops/coarse_head.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/logsumexp.h>
#include <gtest/gtest.h>

#include <vector>

#include "rl/ops/few_rows.h"
#include "rl/random/philox.h"

namespace hone::rl {
namespace {

void likely_logits_are_exact(std::int64_t B) {
  const std::int64_t C = 96, V = 3000;
  std::vector<float> weight(static_cast<std::size_t>(V * C)),
      hidden(static_cast<std::size_t>(B * C)), exact(static_cast<std::size_t>(B * V));
  const Random random(3, Stream::Init);
  for (std::size_t i = 0; i < weight.size(); ++i)
    weight[i] = static_cast<float>(random.uniform(0, i) - 0.5);
  for (std::size_t i = 0; i < hidden.size(); ++i)
    hidden[i] = static_cast<float>(3 * (random.uniform(1, i) - 0.5));
  const CoarseHead head(at::from_blob(weight.data(), {V, C}, at::kFloat));
  std::vector<double> temperatures;
  for (std::int64_t b = 0; b < B; ++b)
    temperatures.push_back(b % 3 == 0 ? 1 : b % 3 == 1 ? 0 : 0.5);
  const auto logits = head.logits(at::from_blob(hidden.data(), {B, C}, at::kFloat), temperatures);
  for (std::int64_t b = 0; b < B; ++b)
    few_rows(1, V, C, hidden.data() + b * C, weight.data(), nullptr, exact.data() + b * V);
  const auto whole = at::from_blob(exact.data(), {B, V}, at::kFloat);
  EXPECT_LT((logits - whole).abs().max().item<float>(), 3e-2);
  EXPECT_LT((at::logsumexp(logits, {1}) - at::logsumexp(whole, {1})).abs().max().item<float>(),
            1e-3);
  for (std::int64_t b = 0; b < B; ++b) {
    const auto order = whole[b].argsort(-1, true);
    std::int64_t same = 0;
    for (std::int64_t rank = 0; rank < 32; ++rank) {
      const auto id = order[rank].item<std::int64_t>();
      same += logits[b][id].item<float>() == whole[b][id].item<float>();
      EXPECT_EQ(head.exact(hidden.data() + b * C, id), whole[b][id].item<float>());
    }
    EXPECT_EQ(same, 32) << b;
  }
}

TEST(CoarseHead, LikelyLogitsAreTheF32HeadsToTheBitAndTheSumOverAllIsNear) {
  likely_logits_are_exact(3);
  likely_logits_are_exact(most_few_rows(true));
}

}  // namespace
}  // namespace hone::rl
