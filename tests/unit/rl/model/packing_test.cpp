// Packed, shared, chunked and checkpointed passes must equal the plain kind: one sequence alone, no
// sharing, all logits, every block kept. That packed equals padded: padded_test.cpp.
#include <ATen/Parallel.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "feedback/base/error.h"
#include "tests/unit/rl/support/both_types.h"

namespace hone::rl {
namespace {

using namespace testing;

class Packing : public InBothTypes {
 protected:
  /// Of one row's logits.
  std::int64_t row_bytes() const {
    return 61 * static_cast<std::int64_t>(c10::elementSize(GetParam()));
  }
};
INSTANTIATE_TEST_SUITE_P(In, Packing, kBothTypes, type_name);

TEST_P(Packing, SharedPromptsInOnePackEqualEachResponseAlone) {
  const auto groups = uneven_groups();
  const auto packed = pack(groups);
  const Upstream upstream{numbers(packed.targets.size(0), 98), {}};
  for (const auto& model : all_kinds())
    expect_close(pass_over(model, {packed}, upstream),
                 pass_over(model, each_alone(groups), upstream), close());
}

TEST_P(Packing, TheOrderOfGroupsDoesNotMatter) {
  const auto model = tiny();
  auto groups = uneven_groups();
  const auto before = sum_by_response(response_logprobs(model, pack(groups)), pack(groups));
  std::swap(groups[0], groups[1]);  // two responses each
  const auto after = sum_by_response(response_logprobs(model, pack(groups)), pack(groups));
  EXPECT_LT(max_difference(before.narrow(0, 0, 2), after.narrow(0, 2, 2)), close());
  EXPECT_LT(max_difference(before.narrow(0, 2, 2), after.narrow(0, 0, 2)), close());
}

TEST_P(Packing, ChunkedHeadEqualsAllLogitsAtOnce) {
  const auto packed = pack(uneven_groups());
  const auto n = packed.targets.size(0);
  const PassOptions three_rows{.head = {.logits_bytes = 3 * row_bytes()}};
  for (const auto& model : all_kinds())
    for (const auto& upstream :
         {Upstream{numbers(n, 99), {}}, Upstream{numbers(n, 99), numbers(n, 100)}})
      expect_close(pass_over(model, {packed}, upstream),
                   pass_over(model, {packed}, upstream, three_rows), 0);
}

TEST_P(Packing, BlocksComputedAgainEqualBlocksKeptToTheBit) {
  const auto groups = uneven_groups();
  const auto packed = pack(groups), whole = pack_whole(groups);
  const auto n = packed.targets.size(0), rewards = whole.last.size(0);
  const auto expect_equal = [](const Pass& kept, const Pass& again) {
    EXPECT_TRUE(at::equal(kept.values, again.values));
    ASSERT_EQ(kept.gradients.size(), again.gradients.size());
    for (std::size_t i = 0; i < kept.gradients.size(); ++i)
      EXPECT_TRUE(at::equal(kept.gradients[i].second, again.gradients[i].second))
          << kept.gradients[i].first;
  };
  const Upstream of_tokens{numbers(n, 97), numbers(n, 96)}, of_rewards{numbers(rewards, 95), {}};
  for (const auto& model : all_kinds())
    expect_equal(pass_over(model, {packed}, of_tokens),
                 pass_over(model, {packed}, of_tokens, {.checkpointed = true}));
  expect_equal(pass_over(tiny_score(), {whole}, of_rewards),
               pass_over(tiny_score(), {whole}, of_rewards, {.checkpointed = true}));
}

TEST_P(Packing, EntropyIsThatOfTheWholeDistributionWhateverTheChunks) {
  const auto model = tiny();
  const auto packed = pack(uneven_groups());
  for (const double temperature : {1.0, 0.5}) {
    at::Tensor at_once, by_rows;
    response_logprobs(model, packed, {.temperature = temperature}, nullptr, &at_once);
    response_logprobs(model, packed, {.temperature = temperature, .logits_bytes = 3 * row_bytes()},
                      nullptr, &by_rows);
    EXPECT_LT(max_difference(at_once, by_rows), close());
    // -sum p log p, token by token: the log-probability of each of the 61 tokens in turn.
    auto sum = at::zeros_like(at_once);
    auto every = packed;
    for (std::int64_t token = 0; token < 61; ++token) {
      every.targets = at::full_like(packed.targets, token);
      const auto logp = response_logprobs(model, every, {.temperature = temperature});
      sum.sub_(logp.exp() * logp);
    }
    EXPECT_LT(max_difference(at_once, sum), close());
  }
}

TEST(Pack, RefusesAnEmptyPromptOrResponse) {
  EXPECT_THROW(pack(std::vector<Group>{{{}, {{1}}}}), Error);
  EXPECT_THROW(pack(std::vector<Group>{{{1}, {{}}}}), Error);
}

TEST_P(Packing, LogProbabilitiesAtATemperatureAreThoseOfTheDividedLogits) {
  // Over all 61 tokens they sum to one at any temperature, and a higher one is flatter.
  const auto model = tiny();
  double mass[2] = {0, 0}, largest[2] = {-1e9, -1e9};
  for (int hot = 0; hot < 2; ++hot)
    for (std::int64_t v = 0; v < 61; ++v) {
      const std::vector<Group> one = {{random_ids(5, 1), {{v}}}};
      const auto lp =
          response_logprobs(model, pack(one), {.temperature = hot ? 2.0 : 1.0}).item<double>();
      mass[hot] += std::exp(lp);
      largest[hot] = std::max(largest[hot], lp);
    }
  EXPECT_NEAR(mass[0], 1, close());
  EXPECT_NEAR(mass[1], 1, close());
  EXPECT_GT(largest[0], largest[1]);
}

TEST_P(Packing, ARewardIsReadAtTheLastTokenWhateverIsPackedBesideIt) {
  const auto model = tiny_score();
  const auto groups = uneven_groups();
  const auto packed = pack_whole(groups);
  const auto together = scalars_at(model, packed, packed.last);
  std::int64_t at = 0;
  for (const auto& group : groups)
    for (const auto& response : group.responses) {
      // The whole text as a prompt of its own: the reward stands at its last row.
      Ids text = group.prompt;
      text.insert(text.end(), response.begin(), response.end());
      const std::vector<Group> alone = {{text, {{1}}}};
      const auto one = pack(alone);
      EXPECT_NEAR(scalars_at(model, one, one.rows).item<double>(), together[at++].item<double>(),
                  close());
    }
  EXPECT_EQ(at, together.size(0));
}

TEST_P(Packing, RewardsOfSharedPromptsHaveTheGradientsOfEachResponseAlone) {
  const auto groups = uneven_groups();
  const auto packed = pack_whole(groups);
  const Upstream upstream{numbers(packed.last.size(0), 94), {}};
  expect_close(pass_over(tiny_score(), {packed}, upstream),
               pass_over(tiny_score(), each_alone(groups, pack_whole), upstream), close());
}

}  // namespace
}  // namespace hone::rl
