#include "rl/engine/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

// Probabilities 0.5, 0.25, 0.125, 0.125 at temperature 1.
const std::vector<float> kLogits = {std::log(4.0f), std::log(8.0f), std::log(2.0f), std::log(2.0f)};

Choice choose(const SamplingOptions& options, double uniform,
              const std::vector<float>& logits = kLogits) {
  std::vector<float> scratch;
  return choose_token(logits.data(), static_cast<std::int64_t>(logits.size()), options, uniform,
                      scratch);
}

TEST(Sampling, DrawsEachTokenAsOftenAsItIsLikely) {
  int counts[4] = {};
  for (int i = 0; i < 1000; ++i) ++counts[choose({}, (i + 0.5) / 1000).id];
  EXPECT_NEAR(counts[0], 250, 1);
  EXPECT_NEAR(counts[1], 500, 1);
  EXPECT_NEAR(counts[2], 125, 1);
  EXPECT_NEAR(counts[3], 125, 1);
}

TEST(Sampling, TellsTheLogProbabilityBeforeTruncation) {
  EXPECT_NEAR(choose({.top_k = 1}, 0.9).logprob, std::log(0.5), 1e-6);
  EXPECT_NEAR(choose({.top_p = 0.3}, 0.9).logprob, std::log(0.5), 1e-6);
  EXPECT_NEAR(choose({.temperature = 0}, 0.9).logprob, std::log(0.5), 1e-6);
  // At temperature 1/2 weights are squared: 16, 64, 4, 4 of 88.
  EXPECT_NEAR(choose({.temperature = 0.5, .top_k = 1}, 0.9).logprob, std::log(64.0 / 88), 1e-5);
}

TEST(Sampling, TopKAndTopPKeepTheLikeliestAndAtLeastOne) {
  for (int i = 0; i < 100; ++i) {
    const double u = (i + 0.5) / 100;
    EXPECT_EQ(choose({.top_k = 1}, u).id, 1);
    EXPECT_EQ(choose({.top_p = 1e-6}, u).id, 1);
    EXPECT_LE(choose({.top_k = 2}, u).id, 1);
    EXPECT_LE(choose({.top_p = 0.75}, u).id, 1);
    EXPECT_LE(choose({.top_p = 0.8}, u).id,
              2);  // the third is needed to reach 0.8; ties go to the lower id
  }
  EXPECT_EQ(choose({.top_k = 2}, 0.99).id, 0);
}

TEST(Sampling, GreedyTakesTheLowerIdOfATie) {
  EXPECT_EQ(choose({.temperature = 0}, 0.7, {1, 3, 3}).id, 1);
}

TEST(Sampling, TheLastNumberBelowOneStillNamesAToken) {
  EXPECT_EQ(choose({}, std::nextafter(1.0, 0.0)).id, 3);
}

TEST(Sampling, MinPKeepsWhatIsLikelyEnoughBesideTheLikeliest) {
  for (int i = 0; i < 100; ++i) {
    const double u = (i + 0.5) / 100;
    EXPECT_EQ(choose({.min_p = 0.51}, u).id, 1);
    EXPECT_LE(choose({.min_p = 0.5}, u).id, 1);
    EXPECT_LE(choose({.top_k = 3, .min_p = 0.2}, u).id, 2);
  }
  EXPECT_EQ(choose({.min_p = 0.2}, 0.999).id, 3);
  EXPECT_NEAR(choose({.min_p = 0.51}, 0.3).logprob, std::log(0.5), 1e-6);
}

TEST(Sampling, TheRepetitionPenaltyCountsATokenOnceAndPullsBothSignsDown) {
  const std::vector<float> logits = {2, 1.5f, -1, -1.5f};
  std::vector<float> scratch;
  const std::vector<std::int64_t> prompt = {0, 0}, own = {2};
  const SamplingOptions options{.temperature = 0, .repetition_penalty = 2};
  const auto first = choose_token(logits.data(), 4, options, 0, scratch, {prompt, own});
  EXPECT_EQ(first.id, 1);  // 2 became 1
  // What the policy says, not what the penalty made of it.
  EXPECT_NEAR(first.logprob,
              1.5 - std::log(std::exp(2) + std::exp(1.5) + std::exp(-1) + std::exp(-1.5)), 1e-5);
  const std::vector<std::int64_t> others = {0, 1};
  const std::vector<float> negative = {-0.5f, -0.6f, -0.9f, -9};
  EXPECT_EQ(choose_token(negative.data(), 4, options, 0, scratch, {others}).id, 2);
}

TEST(Sampling, RefusesLogitsThatAreNotFinite) {
  EXPECT_THROW(choose({}, 0.5, {1, std::numeric_limits<float>::infinity()}), Error);
  EXPECT_THROW(choose({}, 0.5, {1, std::numeric_limits<float>::quiet_NaN()}), Error);
}

TEST(Sampling, RefusesImpossibleOptionsByName) {
  for (const auto& [options, name] : {std::pair{SamplingOptions{.max_tokens = 0}, "max_tokens"},
                                      {SamplingOptions{.temperature = -1}, "temperature"},
                                      {SamplingOptions{.top_p = 0}, "top_p"},
                                      {SamplingOptions{.top_k = -1}, "top_k"}}) {
    try {
      check_sampling(options);
      FAIL() << name;
    } catch (const Error& e) {
      EXPECT_EQ(e.pointer(), name);
    }
  }
}

}  // namespace
}  // namespace hone::rl
