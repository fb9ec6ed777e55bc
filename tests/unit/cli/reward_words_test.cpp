// What a version measured, told in rows of a name and a value.
#include "services/cli/reward_words.h"

#include <gtest/gtest.h>

namespace hone::cli {
namespace {

using nlohmann::json;
using Rows = std::vector<std::vector<std::string>>;

TEST(EvaluationRows, SetAccuracyBesideAlwaysTakingTheLonger) {
  const json evaluation{{"held_out", {{"pairs", 40}}},
                        {"values",
                         {{"eval/held_out/pairs", 40},
                          {"eval/held_out/rm/accuracy", 0.75},
                          {"eval/held_out/accuracy/low", 0.598},
                          {"eval/held_out/accuracy/high", 0.858},
                          {"eval/held_out/rm/accuracy/longer", 0.52},
                          {"eval/held_out/rm/temperature", 1.25}}}};
  EXPECT_EQ(evaluation_rows(evaluation),
            (Rows{{"held-out pairs", "40"},
                  {"pairs ranked right", "75.0 % (95 % interval 59.8 % to 85.8 %)"},
                  {"by always taking the longer", "52.0 %"},
                  {"by always taking the shorter", "48.0 %"},
                  {"temperature", "1.25"}}));
}

TEST(EvaluationRows, AreNoneWithoutAnEvaluation) {
  EXPECT_EQ(evaluation_rows(nullptr), Rows{});
  EXPECT_EQ(evaluation_rows(json::object()), Rows{});
}

}  // namespace
}  // namespace hone::cli
