#include "rl/train/memory.h"

#include <gmock/gmock.h>

#include "rl/train/failure.h"

namespace hone::rl {
namespace {

ModelConfig smollm2() {
  ModelConfig c;
  c.vocab_size = 49152;
  c.hidden_size = 576;
  c.intermediate_size = 1536;
  c.num_hidden_layers = 30;
  c.num_attention_heads = 9;
  c.num_key_value_heads = 3;
  c.head_dim = 64;
  c.tie_word_embeddings = true;
  return c;
}

TEST(MemoryForecast, CountsWhatFullWeightsNeed) {
  // 134,515,008 weights of 4 bytes: once themselves, once as gradient, twice as moments.
  const auto f = forecast_memory(smollm2(), TrainSpec(), 300);
  EXPECT_EQ(f.weights, 538'060'032);
  EXPECT_EQ(f.gradients, f.weights);
  EXPECT_EQ(f.optimizer, 2 * f.weights);
}

TEST(MemoryForecast, OfAnAdapterIsMuchLess) {
  TrainSpec spec;
  spec.lora = LoraSpec{};
  EXPECT_LT(forecast_memory(smollm2(), spec, 300).gradients, 25'000'000);
}

TEST(MemoryForecast, OfCheckpointedBlocksKeepsTheirInputsAlone) {
  TrainSpec spec;
  const auto plain = forecast_memory(smollm2(), spec, 300);
  spec.settings.set("activation_checkpointing", true);
  const auto less = forecast_memory(smollm2(), spec, 300);
  EXPECT_LT(less.activations, plain.activations / 5);
  EXPECT_EQ(less.total() - less.activations, plain.total() - plain.activations);
}

std::string refusal(const TrainSpec& spec, std::int64_t available) {
  try {
    check_memory(smollm2(), spec, 300, available);
  } catch (const RunFailure& e) {
    EXPECT_EQ(e.blame, "user");
    return e.what();
  }
  return "accepted";
}

TEST(MemoryForecast, RefusesWhatCannotFitAndSaysWhatWould) {
  using testing::HasSubstr;
  TrainSpec spec;
  const auto total = forecast_memory(smollm2(), spec, 300).total();
  EXPECT_EQ(refusal(spec, 2 * total), "accepted");
  EXPECT_EQ(refusal(spec, 0), "accepted");  // not known
  // Just too little: a pair at a time is enough. Less: blocks computed again. Less: an adapter.
  EXPECT_THAT(refusal(spec, 3'200'000'000), HasSubstr("; hyperparameters.micro_batch_tokens: 300"));
  spec.settings.set("micro_batch_tokens", 1);
  EXPECT_THAT(refusal(spec, 3'000'000'000),
              HasSubstr("; hyperparameters.activation_checkpointing: true"));
  EXPECT_THAT(refusal(spec, 1'800'000'000), HasSubstr("; a LoRA adapter"));
  EXPECT_THAT(refusal(spec, 700'000'000), HasSubstr("million parameters would fit"));
}

TEST(SamplingMemory, CountsSlotsUpToTheBoundOfTheCache) {
  auto c = smollm2();
  c.max_position_embeddings = 8192;
  // 30 layers, 3 heads of 64, keys and values: 46,080 bytes a token.
  const auto one = forecast_sampling(c, {.slots = 1, .prompt_tokens = 0, .max_tokens = 100});
  EXPECT_EQ(one.cache, 46'080 * 100);
  const auto many = forecast_sampling(c, {.slots = 96, .prompt_tokens = 1000, .max_tokens = 100});
  EXPECT_EQ(many.cache, 46'080 * (96 * 100 + 1000));
  const auto bounded = forecast_sampling(c, {.slots = 96, .prompt_tokens = 0, .max_tokens = 8000});
  EXPECT_LE(bounded.cache, std::int64_t{2} << 30);
  EXPECT_GT(bounded.cache, std::int64_t{1} << 30);
  const auto beyond = forecast_sampling(c, {.slots = 1, .prompt_tokens = 0, .max_tokens = 1 << 20});
  EXPECT_EQ(beyond.cache, 46'080 * 8192);
}

TEST(SamplingMemory, NamesTheSmallestChangeThatFits) {
  auto c = smollm2();
  c.max_position_embeddings = 8192;
  const SamplingNeed need{.max_tokens = 1024};
  EXPECT_EQ(sampling_memory_problem(c, need, std::int64_t{16} << 30), "");
  EXPECT_EQ(sampling_memory_problem(c, need, 0), "");
  EXPECT_THAT(sampling_memory_problem(c, need, std::int64_t{2} << 30),
              testing::HasSubstr("; slots 12 would need"));
  EXPECT_THAT(sampling_memory_problem(c, {.slots = 1, .max_tokens = 8000}, 1'400'000'000),
              testing::HasSubstr("; dtype bfloat16 would need"));
  EXPECT_THAT(
      sampling_memory_problem(c, {.slots = 1, .max_tokens = 8000, .bf16 = true}, 1'200'000'000),
      testing::HasSubstr("; max_tokens "));
  EXPECT_THAT(sampling_memory_problem(c, need, 700'000'000),
              testing::HasSubstr("take a smaller one"));
}

}  // namespace
}  // namespace hone::rl
