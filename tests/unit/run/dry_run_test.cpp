// A rehearsal says what a run would do, refuses what would spoil it, and leaves nothing behind.
#include "services/run/dry_run.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/formats/base.h"
#include "rl/tokenizer/tokenizer.h"
#include "services/run/train_spec.h"

namespace hone::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

struct Quiet : rl::Observer {
  void progress(std::string_view, std::int64_t, std::int64_t, double) override {}
  void metrics(std::int64_t, std::int64_t, double, const rl::Values&) override {}
  void checkpoint(std::int64_t, const fs::path&) override {}
  void message(std::string_view, const std::string&) override {}
  void evaluation(const rl::Values&) override {}
  bool stop_requested() override { return false; }
};

class DryRunTest : public ::testing::Test {
 protected:
  DryRunTest()
      : folder(fs::path(::testing::TempDir()) / ("hone-dry-" + std::to_string(::getpid()))) {
    fs::create_directories(folder);
  }
  ~DryRunTest() override {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  static json messages(const char* role, const std::string& text) {
    return json::array({{{"role", role}, {"content", text}}});
  }
  static json pair(int i, const std::string& split = "train") {
    return {{"prompt", messages("user", "Question " + std::to_string(i))},
            {"chosen", messages("assistant", "Yes, " + std::to_string(i) + ".")},
            {"rejected", messages("assistant", "Well, that depends")},
            {"split", split}};
  }
  void write(const std::vector<json>& rows) {
    std::ofstream out(folder / "rows.jsonl");
    for (const auto& row : rows) out << row.dump() << '\n';
  }
  rl::TrainSpec spec(const std::string& method, const json& more = json::object()) {
    json j = {{"method", method},
              {"base", std::string(HONE_SOURCE_DIR) + "/tests/golden/rl/formats/tiny"},
              {"data", "rows.jsonl"},
              {"hyperparameters", {{"batch_size", 4}, {"max_tokens", 256}}}};
    j.update(more, true);
    return parse_train_spec(j, folder);
  }
  /// "pointer, line: detail"
  std::string refused(const rl::TrainSpec& s) {
    Quiet quiet;
    try {
      rl::dry_run(s, quiet);
    } catch (const Error& e) {
      return e.pointer() + ", " + std::to_string(e.line()) + ": " + e.detail();
    }
    return "accepted";
  }
  std::string told(const rl::TrainSpec& s, Look look = Look::Plain) {
    Quiet quiet;
    const auto run = rl::dry_run(s, quiet);
    EXPECT_TRUE(run);
    return report(*run, {"info: a message"}, look);
  }

  const fs::path folder;
};

TEST_F(DryRunTest, TellsFormulaSettingsDataMemoryTimeAndABatch) {
  std::vector<json> rows;
  for (int i = 0; i < 10; ++i) rows.push_back(pair(i));
  rows.push_back(pair(9));
  rows.push_back(pair(20, "held_out"));
  rows.push_back(pair(21));
  rows.back()["tie"] = true;
  write(rows);
  const auto text = told(spec("dpo.sigmoid.sum"));
  EXPECT_THAT(text, HasSubstr("minimised: -log sigma(z), z = beta * (h_c - h_r)"));
  EXPECT_THAT(text, HasSubstr("with beta = 0.1"));
  EXPECT_THAT(text, HasSubstr("*batch_size                4"));
  EXPECT_THAT(text, HasSubstr(" learning_rate             1e-06"));
  EXPECT_THAT(text, HasSubstr("11 preference pairs to train on, 1 held out; 3 steps of 4"));
  EXPECT_THAT(text, HasSubstr("ties: 1"));
  EXPECT_THAT(text, HasSubstr("duplicates: 1"));
  EXPECT_THAT(text, HasSubstr("it fits"));
  EXPECT_THAT(text, HasSubstr("together       about "));
  EXPECT_THAT(text, HasSubstr("chosen, "));
  EXPECT_THAT(text, HasSubstr("[+Yes, "));
  EXPECT_THAT(text, HasSubstr("[-Well, that depends"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(told(spec("dpo.sigmoid.sum"), Look::Colour), HasSubstr("\x1b[30;42m"));
  EXPECT_FALSE(fs::exists(folder / "out"));
}

TEST_F(DryRunTest, WorksForMethodsOfEveryFamily) {
  write({pair(1), pair(2), pair(3), pair(4), pair(5, "held_out")});
  for (const char* name : {"sft", "dpo.sigmoid.sum", "orpo", "ipo.mean", "rm.sigmoid", "rm.rk",
                           "kto", "kto.apo_zero", "ppo", "grpo_token", "rloo"}) {
    const auto& method = feedback::method(name);
    json more = json::object();
    if (method.family == feedback::Family::Policy) {
      more = {{"reward", {{"type", "length"}, {"tokens", 5}}},
              {"gold", {{"type", "length"}, {"tokens", 5}}},
              {"hyperparameters", {{"max_new_tokens", 24}}}};
    }
    const auto text = told(spec(method.name, more));
    EXPECT_THAT(text, HasSubstr("a step         about")) << method.name;
    if (method.family == feedback::Family::Policy) {
      EXPECT_THAT(text, HasSubstr("a drawn answer, score")) << method.name;
      EXPECT_THAT(text, HasSubstr("a rollout      about")) << method.name;
    }
  }
  EXPECT_FALSE(fs::exists(folder / "out"));
}

TEST_F(DryRunTest, MarksOfAConversationFollowItsMask) {
  write({{{"messages",
           {{{"role", "user"}, {"content", "One"}},
            {{"role", "assistant"}, {"content", "Two"}},
            {{"role", "user"}, {"content", "Three"}},
            {{"role", "assistant"}, {"content", "Four"}}}}}});
  const auto text = told(spec("sft"));
  EXPECT_THAT(text, HasSubstr("[+Two"));
  EXPECT_THAT(text, HasSubstr("[+Four"));
  const auto masked = text.find("[~", text.find("[+Two")), third = text.find("Three"),
             end = text.find("~]", masked);
  EXPECT_LT(masked, third);
  EXPECT_LT(third, end);
}

TEST_F(DryRunTest, RefusesPromptsOfBothSplitsWithALine) {
  write({pair(1), pair(2), pair(3, "held_out"), pair(2, "held_out"), pair(1, "held_out")});
  for (const char* method : {"dpo.sigmoid.sum", "sft", "rm.sigmoid"})
    EXPECT_THAT(refused(spec(method)), HasSubstr("data, 4: 2 held-out rows")) << method;
  EXPECT_THAT(refused(spec("kto")), HasSubstr("data, 4: 4 held-out rows"));  // answers
  EXPECT_THAT(refused(spec("grpo_token", {{"reward", {{"type", "length"}, {"tokens", 5}}},
                                          {"hyperparameters", {{"max_new_tokens", 8}}}})),
              HasSubstr("data, 4: 2 held-out rows"));
}

TEST_F(DryRunTest, RefusesWhatARunWouldRefuseWithFieldAndLine) {
  auto empty = pair(2);
  empty["chosen"] = messages("assistant", "");
  write({pair(1), empty});
  EXPECT_THAT(refused(spec("dpo.sigmoid.sum")), HasSubstr("chosen, 2: "));
  const auto base = rl::open_base(fs::path(HONE_SOURCE_DIR) / "tests/golden/rl/formats/tiny");
  const auto end = base.tokenizer->token(base.config.eos_token_ids.front());
  auto ended = pair(2);
  ended["rejected"] = messages("assistant", "No" + end + end);
  write({pair(1), ended});
  EXPECT_THAT(refused(spec("dpo.sigmoid.sum")), HasSubstr("rejected, 2: "));
  std::vector<json> rows;
  for (int i = 0; i < 8; ++i) rows.push_back(pair(i));
  rows.push_back(pair(9));
  rows.back()["chosen"] = messages("assistant", std::string(3000, 'x'));
  write(rows);
  EXPECT_THAT(refused(spec("dpo.sigmoid.sum")), HasSubstr("hyperparameters.max_tokens, 0: "));
}

TEST_F(DryRunTest, NothingOfATextMovesTheCursor) {
  const auto base = rl::open_base(fs::path(HONE_SOURCE_DIR) / "tests/golden/rl/formats/tiny");
  const auto ids = base.tokenizer->encode("a\x1b[2J\n\u00e9\u4e2d", false);
  const rl::ShownText text{"", 1, ids, std::vector(ids.size(), rl::Mark::Learnt)};
  const auto plain = show_text(text, *base.tokenizer, Look::Plain);
  EXPECT_EQ(plain, "[+a\u00b7[2J\u21b5\n\u00e9\u4e2d+]");
}

}  // namespace
}  // namespace hone::run
