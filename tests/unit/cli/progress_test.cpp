// The one line of progress that a person sees.
#include <gtest/gtest.h>

#include "services/cli/follow.h"

namespace hone::cli {
namespace {

using nlohmann::json;

TEST(ProgressLine, ShowsWhatTrainingShows) {
  ProgressLine line;
  line.take("progress", {{"stage", "train"}, {"done", 11}, {"total", 60}, {"eta_s", 140}});
  line.take("metrics", {{"step", 12},
                        {"total_steps", 60},
                        {"eta_s", 130},
                        {"values", {{"loss", 0.6123}, {"pref/margin", 0.42}}}});
  EXPECT_EQ(line.text(), "train  step 12/60  loss 0.612  margin 0.42  2 min 10 s left");
}

TEST(ProgressLine, ANewStageForgetsTheOldOnesTimeLeft) {
  ProgressLine line;
  line.take("progress", {{"stage", "train"}, {"done", 60}, {"total", 60}, {"eta_s", 0}});
  line.take("progress", {{"stage", "evaluate"}, {"done", 0}, {"total", 80}});
  EXPECT_EQ(line.text(), "evaluate  0/80");
}

TEST(ProgressLine, StandsWhatIsNotAnObject) {
  ProgressLine line;
  line.take("progress", json(nullptr));
  line.take("metrics", json("x"));
  EXPECT_EQ(line.text(), "waiting");
}

TEST(ExitStatus, IsZeroOnlyForSuccess) {
  EXPECT_EQ(exit_status({{"state", "succeeded"}, {"error", nullptr}}), 0);
  EXPECT_EQ(exit_status({{"state", "cancelled"}, {"error", nullptr}}), 1);
  EXPECT_EQ(
      exit_status({{"state", "failed"},
                   {"error", {{"code", "bad_rows"}, {"detail", "no rows"}, {"blame", "user"}}}}),
      1);
}

}  // namespace
}  // namespace hone::cli
