// Rows become tokens by one rule, and bad rows are told by line.
#include "rl/data/pairs.h"

#include <cstdint>
#include <set>

#include "feedback/base/error.h"
#include "rl/data/batches.h"
#include "tests/unit/rl/train/support.h"

namespace hone::rl {
namespace {

using namespace testing;

const TextRules& rules() {
  static const Base base = open_base(fs::path(HONE_SOURCE_DIR) / "tests/golden/rl/formats/tiny");
  static const TextRules out = text_rules(base);
  return out;
}

PairData read(const std::string& text, std::int64_t max_tokens = 1024) {
  Folder folder;
  std::ofstream(folder.path / "rows.jsonl") << text;
  return read_pairs(folder.path / "rows.jsonl", rules(), max_tokens);
}

std::string refused(const std::string& text, std::int64_t max_tokens = 1024) {
  try {
    read(text, max_tokens);
  } catch (const Error& e) {
    return e.detail();
  }
  return "accepted";
}

const std::string kRow =
    R"({"prompt":[{"role":"user","content":"a"}],"chosen":[{"role":"assistant","content":"b"}],"rejected":[{"role":"assistant","content":"c"}]})";

TEST(Pairs, MessagesGetTheTemplateAndOneEndToken) {
  const auto data = read(kRow + "\n");
  ASSERT_EQ(data.train.size(), 1u);
  const auto end = rules().end_ids.front();
  EXPECT_EQ(data.train[0].prompt,
            rules().tokenizer->encode(rules().chat->render({{"user", "a"}}, true), false));
  auto expected = rules().tokenizer->encode("b", false);
  expected.push_back(end);
  EXPECT_EQ(data.train[0].chosen, expected);
  EXPECT_EQ(std::count(data.train[0].rejected.begin(), data.train[0].rejected.end(), end), 1);
}

TEST(Pairs, TextIsRawAndGetsNoEndToken) {
  const auto data = read(R"({"prompt":"a b","chosen":" c","rejected":" d"})");
  EXPECT_EQ(data.train.at(0).prompt, rules().tokenizer->encode("a b", true));
  EXPECT_EQ(data.train.at(0).chosen, rules().tokenizer->encode(" c", false));
}

std::string snapshot(double p, const std::string& split = "train") {
  return R"({"comparison":"x","prompt":[{"role":"user","content":"a"}],"responses":[{"messages":[{"role":"assistant","content":"first"}]},{"messages":[{"role":"assistant","content":"second"}]}],"p":)" +
         std::to_string(p) + R"(,"split":")" + split + "\"}\n";
}

TEST(Pairs, OfASnapshotTakeTheSideThatTheposteriorNames) {
  const auto data = read(snapshot(0.9) + snapshot(0.2) + snapshot(0.5) + snapshot(0.9, "held_out"));
  ASSERT_EQ(data.train.size(), 2u);
  EXPECT_EQ(data.train[0].chosen, data.train[1].rejected);
  EXPECT_EQ(data.train[0].rejected, data.train[1].chosen);
  EXPECT_EQ(data.ties, 1);
  EXPECT_EQ(data.held_out.size(), 1u);
}

TEST(Pairs, ARowOverTheBudgetIsDroppedWholeAndManyAreRefused) {
  std::string long_text(400, 'x');
  const std::string long_row =
      R"({"prompt":"a","chosen":")" + long_text + R"(","rejected":"c"})" + "\n";
  std::string rows;
  for (int i = 0; i < 39; ++i)
    rows += R"({"prompt":"a","chosen":"b","rejected":"c"})" + std::string("\n");
  const auto data = read(rows + long_row, 64);
  EXPECT_EQ(data.too_long, 1);
  EXPECT_EQ(data.train.size(), 39u);
  EXPECT_NE(refused(rows + long_row + long_row + long_row, 64).find("more than 5 %"),
            std::string::npos);
}

TEST(Pairs, BadRowsAreToldByLine) {
  EXPECT_NE(refused(kRow + "\n{\"prompt\": \n").find("line 2"), std::string::npos);
  EXPECT_NE(refused(kRow + "\n" + R"({"prompt":"a","chosen":"","rejected":"c"})")
                .find("line 2: chosen is empty"),
            std::string::npos);
  EXPECT_NE(refused(R"({"prompt":"a","chosen":"b"})").find("line 1: rejected is missing"),
            std::string::npos);
  EXPECT_NE(refused(R"({"prompt":[],"chosen":"b","rejected":"c"})").find("line 1: prompt"),
            std::string::npos);
  EXPECT_NE(refused(snapshot(1.5)).find("p must be"), std::string::npos);
  EXPECT_NE(refused("[1]").find("line 1"), std::string::npos);
  EXPECT_NE(refused("").find("no rows"), std::string::npos);
  EXPECT_NE(refused(snapshot(0.5) + snapshot(0.9, "held_out")).find("no pairs to train on"),
            std::string::npos);
}

TEST(StepRows, EveryRowOnceAnEpochInAnOrderOfItsOwn) {
  StepRows order(10, 4, 3);
  EXPECT_EQ(order.steps_per_epoch(), 3);
  std::vector<std::int64_t> first, second;
  for (std::int64_t step = 0; step < 3; ++step)
    for (const auto row : order.rows_of(step)) first.push_back(row);
  for (std::int64_t step = 3; step < 6; ++step)
    for (const auto row : order.rows_of(step)) second.push_back(row);
  EXPECT_EQ(std::set<std::int64_t>(first.begin(), first.end()).size(), 10u);
  EXPECT_NE(first, second);
  EXPECT_EQ(StepRows(10, 4, 3).rows_of(4),
            std::vector<std::int64_t>(second.begin() + 4, second.begin() + 8));
  EXPECT_DOUBLE_EQ(order.epochs_after(4), 1.4);
}

}  // namespace
}  // namespace hone::rl
