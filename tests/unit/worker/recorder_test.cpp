#include "services/worker/recorder.h"

#include <gtest/gtest.h>

#include <vector>

#include "feedback/base/error.h"

namespace hone::worker {
namespace {

using namespace std::chrono_literals;
using Written = Recorder::Written;

const Heartbeat::Times kTimes{20ms, 10s, 60s};
Renewal ours() { return {}; }

TEST(Recorder, WritesEverythingInOrder) {
  Heartbeat heartbeat(ours, kTimes, std::chrono::steady_clock::now());
  Recorder recorder(heartbeat);
  std::vector<int> written;
  for (int i = 0; i < 5; ++i)
    recorder.put("event", [&written, i] {
      written.push_back(i);
      return Written::Now;
    });
  EXPECT_TRUE(recorder.finish());
  EXPECT_EQ(written, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(Recorder, TriesAgainWhileTheStoreIsAway) {
  Heartbeat heartbeat(ours, kTimes, std::chrono::steady_clock::now());
  Recorder recorder(heartbeat);
  int tries = 0, after = 0;
  recorder.put("event", [&] {
    if (++tries < 3) throw Error(Code::Busy, "away");
    return Written::Now;
  });
  recorder.put("event", [&] {
    after = tries;
    return Written::Now;
  });
  EXPECT_TRUE(recorder.finish());
  EXPECT_EQ(tries, 3);
  EXPECT_EQ(after, 3);  // the second waited for the first
}

TEST(Recorder, StopsAtTheFirstWriteThatIsRefusedAsStale) {
  Heartbeat heartbeat(ours, kTimes, std::chrono::steady_clock::now());
  Recorder recorder(heartbeat);
  bool later = false;
  recorder.put("event", [] { return Written::Stale; });
  recorder.put("event", [&] {
    later = true;
    return Written::Now;
  });
  EXPECT_FALSE(recorder.finish());
  EXPECT_EQ(heartbeat.state(), Heartbeat::State::Lost);
  EXPECT_FALSE(later);
}

TEST(Recorder, GoesOnAfterAWriteThatCannotSucceed) {
  Heartbeat heartbeat(ours, kTimes, std::chrono::steady_clock::now());
  Recorder recorder(heartbeat);
  bool later = false;
  recorder.put("event", []() -> Written { throw Error(Code::Invalid, "no such type"); });
  recorder.put("event", [&] {
    later = true;
    return Written::Now;
  });
  EXPECT_TRUE(recorder.finish());
  EXPECT_TRUE(later);
}

}  // namespace
}  // namespace hone::worker
