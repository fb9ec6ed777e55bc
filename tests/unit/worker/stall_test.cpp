#include "services/worker/stall.h"

#include <gtest/gtest.h>

namespace hone::worker {
namespace {

using namespace std::chrono_literals;
const Stall::Time kStart{};

TEST(Stall, GivesTenMinutesBeforeTheFirstStep) {
  Stall stall(kStart);
  EXPECT_FALSE(stall.stalled(kStart + 10min));
  EXPECT_TRUE(stall.stalled(kStart + 10min + 1s));
  stall.tick(kStart + 9min);  // still loading, and says so
  EXPECT_FALSE(stall.stalled(kStart + 19min));
}

TEST(Stall, GivesAMinuteWhereStepsAreShort) {
  Stall stall(kStart);
  for (int i = 0; i < 10; ++i) stall.step(kStart + i * 1s);
  EXPECT_FALSE(stall.stalled(kStart + 9s + 60s));
  EXPECT_TRUE(stall.stalled(kStart + 9s + 61s));
}

TEST(Stall, GivesTwiceTheLongStepsWhereTheyAreLong) {
  // Steps of 50 s: 2 x 50 s = 100 s of silence are allowed after the last one.
  Stall stall(kStart);
  for (int i = 0; i <= 4; ++i) stall.step(kStart + i * 50s);
  EXPECT_EQ(stall.limit(), 100s);
  EXPECT_FALSE(stall.stalled(kStart + 200s + 100s));
  EXPECT_TRUE(stall.stalled(kStart + 200s + 101s));
}

TEST(Stall, DoesNotCountTheTimeThatTheRunWasToldToWait) {
  Stall stall(kStart);
  stall.step(kStart);
  stall.step(kStart + 1s);
  stall.resumed(kStart + 500s);
  EXPECT_FALSE(stall.stalled(kStart + 560s));
  stall.step(kStart + 501s);
  EXPECT_EQ(stall.limit(), 60s);  // the pause is not a step of 500 s
}

}  // namespace
}  // namespace hone::worker
