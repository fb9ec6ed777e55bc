#include "rl/optim/schedule.h"

#include <gtest/gtest.h>

namespace hone::rl {
namespace {

TEST(Schedule, WarmsUpFromZeroAndFallsAsACosine) {
  const Schedule s{.peak = 2, .decay = Decay::Cosine, .warmup = 4, .steps = 12};
  EXPECT_DOUBLE_EQ(s.at(0), 0);
  EXPECT_DOUBLE_EQ(s.at(2), 1);
  EXPECT_DOUBLE_EQ(s.at(4), 2);
  EXPECT_NEAR(s.at(8), 1, 1e-12);  // half way down: 2 * 0.5 * (1 + cos(pi / 2))
  EXPECT_NEAR(s.at(12), 0, 1e-12);
}

TEST(Schedule, FallsLinearlyOrNotAtAll) {
  EXPECT_DOUBLE_EQ((Schedule{.peak = 2, .decay = Decay::Linear, .warmup = 0, .steps = 8}.at(6)),
                   0.5);
  EXPECT_DOUBLE_EQ((Schedule{.peak = 2, .decay = Decay::Constant, .warmup = 0, .steps = 8}.at(7)),
                   2);
}

}  // namespace
}  // namespace hone::rl
