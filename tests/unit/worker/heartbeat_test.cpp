#include "services/worker/heartbeat.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace hone::worker {
namespace {

using namespace std::chrono_literals;
using State = Heartbeat::State;
using Clock = std::chrono::steady_clock;

// Short times, in the proportions of the real ones.
const Heartbeat::Times kTimes{20ms, 100ms, 400ms};

bool becomes(const Heartbeat& heartbeat, State wanted, std::chrono::milliseconds within = 5s) {
  const auto end = Clock::now() + within;
  while (heartbeat.state() != wanted) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

TEST(Heartbeat, StaysTheOwnerWhileTheStoreAnswers) {
  std::atomic<int> beats = 0;
  Heartbeat heartbeat(
      [&] {
        ++beats;
        return Renewal{};
      },
      kTimes, Clock::now());
  while (beats < 12) std::this_thread::sleep_for(1ms);
  EXPECT_NE(heartbeat.state(), State::Lost);
  EXPECT_FALSE(heartbeat.cancel_requested());
}

TEST(Heartbeat, DoubtsWithoutAnAnswerAndIsSureAgainWithOne) {
  std::atomic<bool> reachable = false;
  Heartbeat heartbeat(
      [&] {
        if (!reachable) throw std::runtime_error("no contact");
        return Renewal{};
      },
      kTimes, Clock::now());
  EXPECT_EQ(heartbeat.state(), State::Ours);
  ASSERT_TRUE(becomes(heartbeat, State::InDoubt));
  reachable = true;
  EXPECT_TRUE(becomes(heartbeat, State::Ours));
}

TEST(Heartbeat, GivesUpAfterTheLongestSilence) {
  Heartbeat heartbeat([]() -> Renewal { throw std::runtime_error("no contact"); }, kTimes,
                      Clock::now());
  EXPECT_TRUE(becomes(heartbeat, State::Lost));
}

TEST(Heartbeat, DoubtsByTheClockWhileABeatHangs) {
  std::atomic<bool> release = false;
  Heartbeat heartbeat(
      [&] {
        while (!release) std::this_thread::sleep_for(1ms);
        return Renewal{};
      },
      kTimes, Clock::now());
  EXPECT_TRUE(becomes(heartbeat, State::InDoubt));
  release = true;
}

TEST(Heartbeat, IsLostForGoodWhenTheStoreSaysSo) {
  Heartbeat heartbeat([] { return Renewal{.ours = false}; }, kTimes, Clock::now());
  ASSERT_TRUE(becomes(heartbeat, State::Lost));
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(heartbeat.state(), State::Lost);
}

TEST(Heartbeat, CarriesTheWishToCancel) {
  Heartbeat heartbeat([] { return Renewal{.ours = true, .cancel_requested = true}; }, kTimes,
                      Clock::now());
  const auto end = Clock::now() + 5s;
  while (!heartbeat.cancel_requested() && Clock::now() < end) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(heartbeat.cancel_requested());
}

}  // namespace
}  // namespace hone::worker
