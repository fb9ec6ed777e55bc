// Reward models read exactly what was sampled, alone as in any batch.
#include "rl/reward/model_reward.h"

#include "rl/model/scalar_head.h"
#include "tests/unit/rl/data/support.h"

namespace hone::rl {
namespace {

using namespace testing;

Model tiny_score_model() {
  const auto base = open_base(fs::path(HONE_SOURCE_DIR) / "tests/golden/rl/formats/tiny");
  auto model = load_model(base.config, *base.weights);
  make_score_model(model, Random(3, Stream::Init));
  return model;
}

PromptRow prompt_row(const std::string& text) {
  PromptRow out;
  out.source = std::vector<Message>{{"user", text}};
  out.prompt = prompt_ids(tiny_rules(), out.source);
  return out;
}

TEST(ModelReward, IsTheScoreAtTheLastSampledTokenOffAndScaled) {
  const auto model = tiny_score_model();
  const PromptRow prompts[] = {prompt_row("a"), prompt_row("and another")};
  const Ids ids[] = {encoded("yes<|eot_id|>"), encoded("no"), encoded("well, it depends<|eot_id|>"),
                     Ids{}};
  const std::vector<Completion> completions = {
      {.prompt = &prompts[0], .text = "yes", .ids = &ids[0]},
      {.prompt = &prompts[0], .text = "no", .ids = &ids[1], .truncated = true},
      {.prompt = &prompts[1], .text = "well, it depends", .ids = &ids[2]},
      {.prompt = &prompts[1], .text = "", .ids = &ids[3], .truncated = true}};
  const auto together = score_with_model(model, tiny_rules(), completions, ReadAs::Sampled,
                                         {.offset = 0.5, .scale = 2});
  ASSERT_EQ(together.size(), 4u);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::vector<Group> group = {{completions[i].prompt->prompt, {ids[i]}}};
    const auto packed = pack_whole(group);
    const double raw = scalars_at(model, packed, packed.last).item<double>();
    EXPECT_TRUE(together[i].scored);
    EXPECT_NEAR(together[i].value, (raw - 0.5) * 2, 1e-5);
  }
  EXPECT_FALSE(together[3].scored);  // nothing was sampled
  const auto apart = score_with_model(model, tiny_rules(), completions, ReadAs::Sampled,
                                      {.offset = 0.5, .scale = 2, .micro_batch_tokens = 1});
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(apart[i].value, together[i].value, 1e-5);
}

TEST(ModelReward, WithItsOwnTextRulesReadsTheWordsByThem) {
  const auto other = rules_with(kChat);
  EXPECT_TRUE(same_text_rules(tiny_rules(), tiny_rules()));
  EXPECT_FALSE(same_text_rules(tiny_rules(), other));

  const auto prompt = prompt_row("a");
  const Ids sampled = encoded("ye");
  Completion completion{.prompt = &prompt, .text = "yes", .ids = &sampled};
  auto group = rewarded_group(other, completion, ReadAs::Retold);
  EXPECT_EQ(group.prompt, encoded("<|begin_of_text|><|user|>a<|eot_id|>\n<|assistant|>"));
  EXPECT_EQ(group.responses[0], encoded("yes<|eot_id|>"));
  completion.truncated = true;
  EXPECT_EQ(rewarded_group(other, completion, ReadAs::Retold).responses[0], encoded("yes"));
  EXPECT_EQ(rewarded_group(other, completion, ReadAs::Sampled).responses[0], sampled);

  EXPECT_TRUE(ModelReward("rm", tiny_score_model(), other, tiny_rules(), {}).retold());
  EXPECT_FALSE(ModelReward("rm", tiny_score_model(), tiny_rules(), tiny_rules(), {}).retold());
}

TEST(ModelReward, WantsAScoreHead) {
  const auto base = open_base(fs::path(HONE_SOURCE_DIR) / "tests/golden/rl/formats/tiny");
  EXPECT_NE(refusal([&] {
              ModelReward("rm", load_model(base.config, *base.weights), tiny_rules(), tiny_rules(),
                          {});
            }).find("score head"),
            std::string::npos);
}

}  // namespace
}  // namespace hone::rl
