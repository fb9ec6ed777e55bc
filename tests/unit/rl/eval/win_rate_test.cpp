#include "rl/eval/win_rate.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>

#include "feedback/base/error.h"
#include "rl/formats/base.h"
#include "rl/model/lora.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;

struct World {
  World()
      : base(open_base(fs::path(HONE_SOURCE_DIR) / "tests/golden/rl/formats/tiny")),
        rules(text_rules(base)),
        model(load_model(base.config, *base.weights)) {
    file =
        fs::path(::testing::TempDir()) / ("hone-prompts-" + std::to_string(::getpid()) + ".jsonl");
    write(R"({"id": "first", "messages": [{"role": "user", "content": "One?"}]}
{"id": "second", "messages": [{"role": "user", "content": "And two?"}]}
{"id": "third", "messages": [{"role": "user", "content": "Three, then?"}]}
)");
    spec.prompts = file;
    spec.options = {.max_tokens = 12, .temperature = 0.7};
    spec.compare = [](const std::string&, const std::string& a, const std::string& b) {
      return a.size() > b.size() ? 1.0 : a.size() < b.size() ? 0.0 : 0.5;  // the longer answer wins
    };
  }
  ~World() { fs::remove(file); }
  void write(const std::string& text) const { std::ofstream(file) << text; }

  WinRate measure(const std::function<void(Model&)>& to_policy) {
    auto policy = load_model(base.config, *base.weights);
    to_policy(policy);
    return measure_win_rate(
        {[&]() -> const Model& { return policy; }, [&]() -> const Model& { return model; }}, rules,
        spec,
        [&](std::int64_t done, std::int64_t total) {
          progress = {done, total};
        },
        [] { return false; });
  }

  Base base;
  TextRules rules;
  Model model;
  fs::path file;
  WinRateSpec spec;
  std::pair<std::int64_t, std::int64_t> progress;
};

TEST(WinRate, TheBaseAgainstItselfTiesEverywhereAndDivergesNowhere) {
  World world;
  const auto result = world.measure([](Model&) {});
  ASSERT_EQ(result.rounds.size(), 3u);
  for (const auto& round : result.rounds) {
    EXPECT_EQ(round.text, round.base_text);  // the same random numbers on both sides
    EXPECT_NEAR(round.kl, 0, 1e-4);
  }
  EXPECT_EQ(result.value, 0.5);
  EXPECT_EQ(result.ties, 3);
  EXPECT_EQ(world.progress, (std::pair<std::int64_t, std::int64_t>{6, 6}));
}

TEST(WinRate, AnotherModelIsFarFromTheBaseAndItsFiguresAddUp) {
  World world;
  // The last norm turned over and sharpened: sure of answers that the base finds unlikely.
  const auto result = world.measure([](Model& policy) { policy.norm.value.mul_(-20); });
  double kl = 0, tokens = 0, outcome = 0;
  for (const auto& round : result.rounds) {
    kl += round.kl / 3;
    tokens += static_cast<double>(round.tokens);
    outcome += round.outcome / 3;
    EXPECT_EQ(round.outcome, round.text.size() > round.base_text.size()   ? 1.0
                             : round.text.size() < round.base_text.size() ? 0.0
                                                                          : 0.5);
  }
  EXPECT_GT(kl, 1);
  EXPECT_NEAR(result.kl_seq, kl, 1e-9);
  EXPECT_NEAR(result.kl_token, kl * 3 / tokens, 1e-9);
  EXPECT_NEAR(result.value, outcome, 1e-12);
  EXPECT_EQ(result.wins + result.ties + result.losses, 3);
  EXPECT_LE(result.interval.low, result.value);
  EXPECT_GE(result.interval.high, result.value);
}

TEST(WinRate, PromptsThatAreNoneAreRefusedByLine) {
  World world;
  const auto refused = [&](const std::string& text) -> std::string {
    world.write(text);
    try {
      read_prompts(world.file);
    } catch (const Error& e) {
      return e.detail();
    }
    return "accepted";
  };
  const std::string good = R"({"messages": [{"role": "user", "content": "One?"}]})";
  EXPECT_EQ(refused(good + "\n\n" + good), "accepted");
  EXPECT_NE(refused(good + "\n{\"messages\": []}\n").find("line 2"), std::string::npos);
  EXPECT_NE(refused(good + "\n\n" + R"({"messages": [{"role": "user"}]})").find("line 3"),
            std::string::npos);
  EXPECT_NE(refused("").find("no prompts"), std::string::npos);
}

}  // namespace
}  // namespace hone::rl
