#include "rl/ops/head.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "rl/random/philox.h"

namespace hone::rl {
namespace {

at::Tensor numbers(std::int64_t rows, std::int64_t columns, std::uint64_t which) {
  auto out = at::empty({rows, columns}, at::kFloat);
  const Random random(5, Stream::Init);
  for (std::int64_t i = 0; i < out.numel(); ++i)
    out.data_ptr<float>()[i] =
        static_cast<float>(2 * random.uniform(which, static_cast<std::uint64_t>(i)) - 1);
  return out;
}

TEST(TokenLogprobs, TellWhichTargetsAreTheLikeliestHoweverTheyAreCut) {
  constexpr std::int64_t N = 37, V = 101;
  const auto hidden = numbers(N, 16, 1), weight = numbers(V, 16, 2);
  const auto likeliest = hidden.matmul(weight.t()).argmax(1);  // [N]
  auto targets = likeliest.clone();
  for (std::int64_t i = 0; i < N; i += 3) targets[i] = (targets[i].item<std::int64_t>() + 1) % V;
  for (const std::int64_t bytes : {std::int64_t{1} << 20, V * 4 * 5}) {
    at::Tensor told;
    token_logprobs(hidden, weight, targets, {.logits_bytes = bytes}, nullptr, nullptr, &told);
    for (std::int64_t i = 0; i < N; ++i) EXPECT_EQ(told[i].item<float>(), i % 3 ? 1 : 0) << i;
  }
}

TEST(TokenLogprobs, EqualsAreAllTheLikeliest) {
  at::Tensor told;
  token_logprobs(at::full({2, 4}, 1.0f), at::full({5, 4}, 0.5f), at::full({2}, 3, at::kLong), {},
                 nullptr, nullptr, &told);
  EXPECT_EQ(told.sum().item<float>(), 2);
}

}  // namespace
}  // namespace hone::rl
