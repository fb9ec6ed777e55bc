#include "feedback/lifecycle/job.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <set>
#include <vector>

#include "feedback/lifecycle/reaping.h"

namespace hone::feedback {
namespace {

using namespace std::chrono_literals;

std::vector<JobState> all_states() {
  std::vector<JobState> states;
  for (int i = 0; i < kJobStates; ++i) states.push_back(static_cast<JobState>(i));
  return states;
}

TEST(JobLife, NamesAreReadBackAndDiffer) {
  std::set<std::string_view> names;
  for (const auto state : all_states()) {
    EXPECT_EQ(parse_job_state(to_string(state)), state);
    EXPECT_TRUE(names.insert(to_string(state)).second);
  }
  EXPECT_FALSE(parse_job_state("sleeping"));
  EXPECT_EQ(parse_blame(to_string(Blame::Bug)), Blame::Bug);
}

TEST(JobLife, HasNoWayOutOfAFinalStateAndOneOutOfEveryOther) {
  for (const auto from : all_states()) {
    int ways = 0;
    for (const auto to : all_states()) ways += is_legal_move(from, to);
    EXPECT_EQ(ways == 0, is_final(from)) << to_string(from);
    EXPECT_FALSE(is_legal_move(from, from));
  }
}

TEST(JobLife, CanBeCancelledWhileItLives) {
  for (const auto from : all_states()) {
    if (is_final(from) || from == JobState::Cancelling) continue;
    const auto to = is_held(from) ? JobState::Cancelling : JobState::Cancelled;
    EXPECT_TRUE(is_legal_move(from, to)) << to_string(from);
  }
}

TEST(JobLife, ReturnsToTheQueueFromEveryStateInWhichAWorkerCanDie) {
  for (const auto from : all_states()) {
    if (!is_held(from)) continue;
    const auto to = from == JobState::Cancelling ? JobState::Cancelled : JobState::Queued;
    EXPECT_TRUE(is_legal_move(from, to)) << to_string(from);
  }
}

class HeartbeatWatchTest : public ::testing::Test {
 protected:
  HeartbeatWatch watch{15s, 6s};
  HeartbeatWatch::Time start{};
  std::size_t gone(std::chrono::seconds at, std::int64_t beat, std::int64_t epoch = 1) {
    return watch.poll({{"job", epoch, beat}}, start + at).size();
  }
};

TEST_F(HeartbeatWatchTest, ReportsACounterThatStoodStillForALease) {
  for (int t = 0; t < 14; t += 2) EXPECT_EQ(gone(std::chrono::seconds(t), 7), 0U);
  EXPECT_EQ(gone(14s, 7), 0U);
  EXPECT_EQ(gone(16s, 7), 1U);
}

TEST_F(HeartbeatWatchTest, WaitsAnewAfterEachBeatAndForEachEpoch) {
  for (int t = 0; t <= 12; t += 2) gone(std::chrono::seconds(t), 7);
  EXPECT_EQ(gone(14s, 8), 0U);
  for (int t = 16; t <= 28; t += 2) EXPECT_EQ(gone(std::chrono::seconds(t), 8), 0U);
  EXPECT_EQ(gone(30s, 8, 2), 0U) << "another owner with the same count";
  EXPECT_EQ(gone(34s, 8, 2), 0U);
}

TEST_F(HeartbeatWatchTest, ForgetsItsWaitsWhenItDidNotWatchItself) {
  for (int t = 0; t <= 14; t += 2) gone(std::chrono::seconds(t), 7);
  // A database that was away for a minute: nobody beat, and nobody is to blame.
  EXPECT_EQ(gone(74s, 7), 0U);
  for (int t = 76; t <= 88; t += 2) EXPECT_EQ(gone(std::chrono::seconds(t), 7), 0U);
  EXPECT_EQ(gone(90s, 7), 1U);
}

TEST_F(HeartbeatWatchTest, ForgetsAJobThatIsNoLongerHeld) {
  for (int t = 0; t <= 14; t += 2) gone(std::chrono::seconds(t), 7);
  EXPECT_TRUE(watch.poll({}, start + 16s).empty());
  EXPECT_EQ(gone(18s, 7), 0U);
}

}  // namespace
}  // namespace hone::feedback
