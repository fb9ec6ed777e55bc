// Several seeds: named on the line, told as a table.
#include "services/cli/seed_words.h"

#include <gtest/gtest.h>

#include "feedback/base/error.h"

namespace hone::cli {
namespace {

using nlohmann::json;
using Rows = std::vector<std::vector<std::string>>;

TEST(Seeds, AreHowManyOrWhich) {
  EXPECT_EQ(seeds_of("3"), json(3));
  EXPECT_EQ(seeds_of("1,5,2"), (json{1, 5, 2}));
  for (const char* word : {"", "three", "1,", ",1", "1,,2", "-1", "1,x", "1.5", "12345678901"})
    EXPECT_THROW(seeds_of(word), Error) << word;
}

TEST(Seeds, AreToldWithMeanIntervalAndThoseThatFailed) {
  const json seeds{
      {"evaluation",
       {{"eval/held_out/loss", {{"mean", 0.5}, {"n", 2}, {"low", 0.25}, {"high", 0.75}}}}},
      {"metrics", {{"loss", {{"mean", 1}, {"n", 2}}}}},
      {"seeds",
       {{{"seed", 1}, {"ok", true}, {"evaluation", {{"eval/held_out/loss", 0.4}}}},
        {{"seed", 5}, {"ok", false}, {"step", 3}, {"detail", "the loss is not finite"}},
        {{"seed", 2}, {"ok", true}, {"evaluation", {{"eval/held_out/loss", 0.6}}}}}}};
  EXPECT_EQ(seed_rows(seeds),
            (Rows{{"", "mean", "95 % interval", "seed 1", "seed 5", "seed 2"},
                  {"eval/held_out/loss", "0.5", "0.25 to 0.75", "0.4", "failed", "0.6"},
                  {"seed 5 failed at step 3: the loss is not finite"}}));
}

TEST(Seeds, AreToldByTheirLastStepWhereNothingWasMeasured) {
  const json seeds{{"evaluation", json::object()},
                   {"metrics", {{"loss", {{"mean", 1.5}, {"n", 1}}}}},
                   {"seeds", {{{"seed", 1}, {"ok", true}, {"metrics", {{"loss", 1.5}}}}}}};
  EXPECT_EQ(seed_rows(seeds)[1],
            (std::vector<std::string>{"loss", "1.5", "of one seed: none", "1.5"}));
}

}  // namespace
}  // namespace hone::cli
