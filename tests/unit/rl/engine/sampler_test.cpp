#include "rl/engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>

#include "feedback/base/error.h"
#include "rl/model/forward.h"
#include "rl/tokenizer/spec.h"
#include "rl/tokenizer/tokenizer.h"
#include "tests/unit/rl/support/tiny_model.h"

namespace hone::rl {
namespace {

using namespace testing;

std::vector<Sample> run(const Model& model, const std::vector<SampleRequest>& requests,
                        SamplerOptions options = {}) {
  std::vector<Sample> out(requests.size());
  SamplerEvents events;
  events.on_sample = [&](std::size_t i, const Sample& sample) { out[i] = sample; };
  sample_all(model, requests, options, events);
  return out;
}

/// Three samples of each of four prompts, some tokens each.
std::vector<SampleRequest> requests() {
  std::vector<SampleRequest> out;
  for (std::uint64_t p = 0; p < 4; ++p)
    for (std::uint64_t i = 0; i < 3; ++i)
      out.push_back({random_ids(static_cast<std::int64_t>(3 + 4 * p), 40 + p),
                     {.max_tokens = 6 + static_cast<std::int64_t>(p)},
                     5,
                     10 * p + i});
  return out;
}

TEST(Sampler, LogProbabilitiesAreThoseThatScoringGives) {
  // Decoding with a cache against one packed forward pass: the two roads of one model.
  for (const auto& shape :
       {TinyShape{}, TinyShape{.kv_heads = 4, .tied = false}, TinyShape{.kv_heads = 1},
        TinyShape{.biases = true}, TinyShape{.qk_norm = true}, TinyShape{.window = 5},
        TinyShape{.window = 12, .unturned = true}}) {
    const auto model = tiny_model(shape);
    const auto asked = requests();
    const auto samples = run(model, asked);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const std::vector<Group> group = {{asked[i].prompt, {samples[i].ids}}};
      const auto scored = response_logprobs(model, pack(group));
      for (std::size_t t = 0; t < samples[i].ids.size(); ++t)
        EXPECT_NEAR(scored[static_cast<std::int64_t>(t)].item<float>(), samples[i].logprobs[t],
                    1e-4);
    }
  }
}

TEST(Sampler, InBf16LogProbabilitiesAreNearThoseThatScoringGives) {
  // Few samples at once: through a bf16 copy of the head, the likely logits computed again.
  auto model = tiny_model({.vocab = 2000});
  use_bf16_products(model);
  for (std::uint64_t i = 0; i < 4; ++i) {
    const SampleRequest asked{random_ids(7, 40 + i), {.max_tokens = 8}, 5, i};
    const auto sample = run(model, {asked})[0];
    const std::vector<Group> group = {{asked.prompt, {sample.ids}}};
    const auto scored = response_logprobs(model, pack(group));
    for (std::size_t t = 0; t < sample.ids.size(); ++t)
      EXPECT_NEAR(scored[static_cast<std::int64_t>(t)].item<float>(), sample.logprobs[t], 2e-2);
  }
}

TEST(Sampler, ARoundedEmbeddingAndHeadGiveTheLogitsOfTheSameNumbersInF32) {
  for (const bool tied : {true, false}) {
    const auto config = tiny_config({.vocab = 2000, .tied = tied});
    const auto whole = load_model(config, RandomSource(config), Held::RoundedWhole);
    EXPECT_EQ(whole.embed.value.scalar_type(), at::kBFloat16);
    auto f32 = load_model(config, RandomSource(config), Held::Rounded);
    for (auto* table : {&f32.embed, &f32.output()})
      table->value = table->value.to(at::kBFloat16).to(at::kFloat);
    // A prompt's logits, of which the first token is drawn, and those of each step behind it.
    std::vector<SampleRequest> asked;
    for (std::uint64_t i = 0; i < 40; ++i)
      asked.push_back({random_ids(7, 40), {.max_tokens = 3}, 5, i});
    for (const std::int64_t slots : {4, 40}) {
      const auto drawn = run(whole, asked, {.slots = slots, .stop_ids = {}});
      for (const auto& sample : drawn) {
        const std::vector<Group> group = {{asked[0].prompt, {sample.ids}}};
        const auto scored = response_logprobs(f32, pack(group));
        for (std::size_t t = 0; t < sample.ids.size(); ++t)
          EXPECT_NEAR(scored[static_cast<std::int64_t>(t)].item<float>(), sample.logprobs[t], 2e-2);
      }
    }
    const auto x = random_tensor({70, config.hidden_size}, 9, 3);
    EXPECT_LT((logits_of(whole, x) - logits_of(f32, x)).abs().max().item<float>(), 1e-4);
  }
}

TEST(Sampler, ASampleDependsOnNothingDecodedBesideIt) {
  const auto model = tiny_model();
  const auto asked = requests();
  const auto together = run(model, asked);
  const auto two_at_a_time = run(model, asked, {.slots = 2, .prefill_tokens = 8, .stop_ids = {}});
  for (std::size_t i = 0; i < asked.size(); ++i) {
    EXPECT_EQ(run(model, {asked[i]})[0].ids, together[i].ids);
    EXPECT_EQ(two_at_a_time[i].ids, together[i].ids);
  }
}

TEST(Sampler, SamplesOfOnePromptDifferAndSeedsRepeatThem) {
  const auto model = tiny_model();
  auto asked = requests();
  const auto first = run(model, asked);
  EXPECT_NE(first[9].ids, first[10].ids);
  EXPECT_EQ(run(model, asked)[9].ids, first[9].ids);
  for (auto& request : asked) request.seed = 6;
  EXPECT_NE(run(model, asked)[9].ids, first[9].ids);
}

TEST(Sampler, EndsWithAStopIdOrAtTheLimit) {
  const auto model = tiny_model();
  SampleRequest request{random_ids(5, 41), {.max_tokens = 30, .temperature = 0}, 0, 0};
  const auto free = run(model, {request})[0];
  EXPECT_EQ(free.finish, Finish::Length);
  EXPECT_EQ(free.ids.size(), 30u);
  const auto stop = free.ids[3];
  const auto stopped = run(model, {request}, {.stop_ids = {stop}})[0];
  EXPECT_EQ(stopped.finish, Finish::Stop);
  EXPECT_EQ(stopped.ids.back(), stop);
  EXPECT_LE(stopped.ids.size(), 4u);
}

TEST(Sampler, GreedyTakesTheLikeliestTokenOfTheWholePrefix) {
  const auto model = tiny_model();
  const auto sample =
      run(model, {{random_ids(5, 41), {.max_tokens = 8, .temperature = 0}, 0, 0}})[0];
  Ids prefix = random_ids(5, 41);
  for (const auto id : sample.ids) {
    Group all{prefix, {}};
    for (std::int64_t v = 0; v < 61; ++v) all.responses.push_back({v});
    const std::vector<Group> one = {all};
    EXPECT_EQ(response_logprobs(model, pack(one)).argmax().item<std::int64_t>(), id);
    prefix.push_back(id);
  }
}

TEST(Sampler, StopsAtTheModelsLastPosition) {
  const auto model = tiny_model();  // 256 positions
  const auto sample = run(model, {{random_ids(250, 41), {.max_tokens = 100}, 0, 0}})[0];
  EXPECT_EQ(sample.ids.size(), 6u);
  EXPECT_THROW(run(model, {{random_ids(256, 41), {}, 0, 0}}), Error);
  EXPECT_THROW(run(model, {{{}, {}, 0, 0}}), Error);
}

TEST(Sampler, EndsEarlyWhenAsked) {
  const auto model = tiny_model();
  const auto asked = requests();
  int steps = 0, samples = 0;
  SamplerEvents events;
  events.stop_requested = [&] { return ++steps > 3; };
  events.on_sample = [&](std::size_t, const Sample&) { ++samples; };
  sample_all(model, asked, {}, events);
  EXPECT_LT(samples, 12);
}

/// A tokenizer whose token i is the letter 'a' + i, and nothing between tokens.
std::shared_ptr<const Tokenizer> letters(std::int64_t count) {
  TokenizerSpec spec;
  for (std::int64_t i = 0; i < count; ++i)
    spec.bpe.tokens.push_back(std::string(1, static_cast<char>('a' + i % 26)) +
                              std::string(static_cast<std::size_t>(i / 26), '\''));
  spec.decoders.push_back({.kind = DecoderStep::Kind::Fuse});
  return std::make_shared<const Tokenizer>(std::move(spec));
}

TEST(Sampler, EndsWhereAStopTextIsCompleteAcrossTokens) {
  const auto model = tiny_model();
  const auto tokenizer = letters(model.config.vocab_size);
  auto asked = requests();
  SamplerOptions options;
  options.tokenizer = tokenizer.get();
  const auto free = run(model, asked, options);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    // The text of tokens 2 to 4, one in front of which nothing may be cut.
    const auto& ids = free[i].ids;
    const std::vector<std::int64_t> middle(ids.begin() + 1, ids.begin() + 4);
    asked[i].stop_texts = {"no such text", tokenizer->decode(middle, false)};
  }
  const auto stopped = run(model, asked, options);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto whole = tokenizer->decode(free[i].ids, false);
    const auto wanted = whole.substr(0, whole.find(asked[i].stop_texts[1]));
    EXPECT_EQ(text_of(stopped[i], asked[i], *tokenizer), wanted);
    EXPECT_EQ(stopped[i].finish, Finish::Stop);
    EXPECT_LE(stopped[i].ids.size(), 4u);
    EXPECT_TRUE(std::equal(stopped[i].ids.begin(), stopped[i].ids.end(), free[i].ids.begin()));
  }
}

TEST(Sampler, ACancelledSampleEndsAloneAndFreesItsPlace) {
  const auto model = tiny_model();
  const auto asked = requests();
  const auto undisturbed = run(model, asked);
  std::map<std::size_t, Sample> got;
  std::map<std::size_t, int> tokens;
  SamplerEvents events;
  events.on_token = [&](std::size_t i, std::int64_t) { ++tokens[i]; };
  events.on_sample = [&](std::size_t i, const Sample& sample) { got[i] = sample; };
  events.cancelled = [&](std::size_t i) { return i == 1 && tokens[i] >= 2; };
  sample_all(model, asked, {.slots = 3, .stop_ids = {}}, events);
  ASSERT_EQ(got.size(), asked.size());
  EXPECT_EQ(got[1].finish, Finish::Cancelled);
  EXPECT_EQ(got[1].ids.size(), 2u);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (i == 1) continue;
    EXPECT_EQ(got[i].ids, undisturbed[i].ids);
  }
}

}  // namespace
}  // namespace hone::rl
