#include "rl/train/memory.h"

#include <gtest/gtest.h>

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
  const auto f = forecast_memory(smollm2(), {}, 300);
  EXPECT_EQ(f.weights, 538'060'032);
  EXPECT_EQ(f.gradients, f.weights);
  EXPECT_EQ(f.optimizer, 2 * f.weights);
}

TEST(MemoryForecast, OfAnAdapterIsMuchLess) {
  TrainSpec spec;
  spec.lora = LoraSpec{};
  EXPECT_LT(forecast_memory(smollm2(), spec, 300).gradients, 25'000'000);
}

TEST(MemoryForecast, RefusesWhatCannotFitAndSaysWhatWould) {
  const auto f = forecast_memory(smollm2(), {}, 300);
  EXPECT_NO_THROW(check_memory(f, 2 * f.total()));
  EXPECT_NO_THROW(check_memory(f, 0));  // not known
  try {
    check_memory(f, f.total());
    FAIL();
  } catch (const RunFailure& e) {
    EXPECT_EQ(e.blame, "user");
    EXPECT_NE(std::string(e.what()).find("micro_batch_tokens"), std::string::npos);
  }
}

}  // namespace
}  // namespace hone::rl
