// Packed, shared and chunked scoring must equal the plain kind: one sequence alone, no sharing, all
// logits.
#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "feedback/base/error.h"
#include "rl/model/scalar_head.h"
#include "tests/unit/rl/support/tiny_model.h"

namespace hone::rl {
namespace {

using namespace testing;

constexpr double kClose = 1e-5;

/// Every response scored in a pack of its own, which shares nothing.
at::Tensor one_by_one(const Model& model, const std::vector<Group>& groups) {
  std::vector<at::Tensor> parts;
  for (const auto& group : groups)
    for (const auto& response : group.responses) {
      const std::vector<Group> alone = {{group.prompt, {response}}};
      parts.push_back(response_logprobs(model, pack(alone)));
    }
  return at::cat(parts);
}

TEST(Packing, SharedPromptsInOnePackEqualEachResponseAlone) {
  for (const auto& shape :
       {TinyShape{}, TinyShape{.kv_heads = 4}, TinyShape{.kv_heads = 1, .tied = false},
        TinyShape{.biases = true}, TinyShape{.qk_norm = true}, TinyShape{.window = 4},
        TinyShape{.window = 9, .unturned = true}}) {
    const auto model = tiny_model(shape);
    const auto groups = uneven_groups();
    EXPECT_LT(max_difference(response_logprobs(model, pack(groups)), one_by_one(model, groups)),
              kClose);
  }
}

TEST(Packing, TheOrderOfGroupsDoesNotMatter) {
  const auto model = tiny_model();
  auto groups = uneven_groups();
  const auto before = sum_by_response(response_logprobs(model, pack(groups)), pack(groups));
  std::swap(groups[0], groups[1]);  // two responses each
  const auto after = sum_by_response(response_logprobs(model, pack(groups)), pack(groups));
  EXPECT_LT(max_difference(before.narrow(0, 0, 2), after.narrow(0, 2, 2)), kClose);
  EXPECT_LT(max_difference(before.narrow(0, 2, 2), after.narrow(0, 0, 2)), kClose);
}

TEST(Packing, ChunkedHeadEqualsAllLogitsAtOnceWithGradients) {
  auto whole = tiny_model(), chunked = tiny_model();
  train_all_weights(whole);
  train_all_weights(chunked);
  const auto packed = pack(uneven_groups());
  const HeadOptions at_once, three_rows{.logits_bytes = 3 * 61 * 4};
  ScoreTrace a, b;
  const auto x = response_logprobs(whole, packed, at_once, &a),
             y = response_logprobs(chunked, packed, three_rows, &b);
  EXPECT_LT(max_difference(x, y), kClose);
  const auto upstream = random_tensor({packed.targets.size(0)}, 99, 1);
  response_logprobs_backward(whole, packed, upstream, at_once, std::move(a));
  response_logprobs_backward(chunked, packed, upstream, three_rows, std::move(b));
  const auto left = trainable(whole), right = trainable(chunked);
  for (std::size_t i = 0; i < left.size(); ++i)
    EXPECT_LT(max_difference(left[i].weight->grad, right[i].weight->grad), kClose) << left[i].name;
}

TEST(Packing, EntropyIsThatOfTheWholeDistributionWhateverTheChunks) {
  const auto model = tiny_model();
  const auto packed = pack(uneven_groups());
  for (const double temperature : {1.0, 0.5}) {
    at::Tensor at_once, by_rows;
    response_logprobs(model, packed, {.temperature = temperature}, nullptr, &at_once);
    response_logprobs(model, packed, {.temperature = temperature, .logits_bytes = 3 * 61 * 4},
                      nullptr, &by_rows);
    EXPECT_LT(max_difference(at_once, by_rows), kClose);
    // -sum p log p, token by token: the log-probability of each of the 61 tokens in turn.
    auto sum = at::zeros_like(at_once);
    auto every = packed;
    for (std::int64_t token = 0; token < 61; ++token) {
      every.targets = at::full_like(packed.targets, token);
      const auto logp = response_logprobs(model, every, {.temperature = temperature});
      sum.sub_(logp.exp() * logp);
    }
    EXPECT_LT(max_difference(at_once, sum), 1e-5);
  }
}

TEST(Packing, SharedPromptsHaveTheGradientsOfEachResponseAlone) {
  for (const auto& shape : {TinyShape{}, TinyShape{.kv_heads = 1, .tied = false}}) {
    auto shared = tiny_model(shape), alone = tiny_model(shape);
    train_all_weights(shared);
    train_all_weights(alone);
    const auto groups = uneven_groups();
    const auto packed = pack(groups);
    const auto upstream = random_tensor({packed.targets.size(0)}, 98, 1);
    ScoreTrace trace;
    response_logprobs(shared, packed, {}, &trace);
    response_logprobs_backward(shared, packed, upstream, {}, std::move(trace));
    std::int64_t at_token = 0;
    for (const auto& group : groups)
      for (const auto& response : group.responses) {
        const std::vector<Group> one = {{group.prompt, {response}}};
        const auto single = pack(one);
        ScoreTrace t;
        response_logprobs(alone, single, {}, &t);
        const auto n = static_cast<std::int64_t>(response.size());
        response_logprobs_backward(alone, single, upstream.narrow(0, at_token, n).clone(), {},
                                   std::move(t));
        at_token += n;
      }
    const auto left = trainable(shared), right = trainable(alone);
    for (std::size_t i = 0; i < left.size(); ++i) {
      const double size = right[i].weight->grad.abs().max().item<double>();
      EXPECT_LT(max_difference(left[i].weight->grad, right[i].weight->grad), 1e-5 * size + 1e-5)
          << left[i].name;
    }
  }
}

TEST(Packing, RefusesAnEmptyPromptOrResponse) {
  EXPECT_THROW(pack(std::vector<Group>{{{}, {{1}}}}), Error);
  EXPECT_THROW(pack(std::vector<Group>{{{1}, {{}}}}), Error);
}

TEST(Packing, LogProbabilitiesAtATemperatureAreThoseOfTheDividedLogits) {
  // Over all 61 tokens they sum to one at any temperature, and a higher one is flatter.
  const auto model = tiny_model();
  double mass[2] = {0, 0}, largest[2] = {-1e9, -1e9};
  for (int hot = 0; hot < 2; ++hot)
    for (std::int64_t v = 0; v < 61; ++v) {
      const std::vector<Group> one = {{random_ids(5, 1), {{v}}}};
      const auto lp =
          response_logprobs(model, pack(one), {.temperature = hot ? 2.0 : 1.0}).item<double>();
      mass[hot] += std::exp(lp);
      largest[hot] = std::max(largest[hot], lp);
    }
  EXPECT_NEAR(mass[0], 1, 1e-5);
  EXPECT_NEAR(mass[1], 1, 1e-5);
  EXPECT_GT(largest[0], largest[1]);
}

TEST(Packing, ARewardIsReadAtTheLastTokenWhateverIsPackedBesideIt) {
  auto model = tiny_model();
  make_score_model(model, Random(3, Stream::Init));
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
      EXPECT_NEAR(scalars_at(model, one, one.rows).item<float>(), together[at++].item<float>(),
                  1e-5);
    }
  EXPECT_EQ(at, together.size(0));
}

}  // namespace
}  // namespace hone::rl
