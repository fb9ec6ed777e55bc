#include "services/worker/run_event.h"

#include <gtest/gtest.h>

#include <string>

namespace hone::worker {
namespace {

using namespace std::chrono_literals;
using Type = RunEvent::Type;

TEST(RunEvent, IsReadFromHoneRunsLines) {
  const auto metrics = parse_run_event(
      R"({"type":"metrics","step":3,"total_steps":9,"eta_s":1.5,"values":{"loss":0.69}})");
  ASSERT_TRUE(metrics);
  EXPECT_EQ(metrics->type, Type::Metrics);
  EXPECT_EQ(metrics->step, 3);
  EXPECT_EQ(metrics->data, R"({"eta_s":1.5,"step":3,"total_steps":9,"values":{"loss":0.69}})");

  const auto checkpoint =
      parse_run_event(R"({"type":"checkpoint","step":10,"path":"checkpoints/step-000010"})");
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->path, "checkpoints/step-000010");

  const auto message =
      parse_run_event(R"({"type":"message","level":"warning","text":"three rows were cut"})");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->text, "three rows were cut");
}

TEST(RunEvent, IsNotMadeFromOtherLines) {
  for (const char* line :
       {"", "hello", "[]", R"({"type":"confetti"})", R"({"type":"metrics","step":"x","values":{}})",
        R"({"type":"metrics","step":1})", R"({"type":"message","level":"loud","text":"x"})",
        R"({"type":"checkpoint","step":-1,"path":"x"})"})
    EXPECT_FALSE(parse_run_event(line)) << line;
}

RunEvent progress(const std::string& stage, int done) {
  RunEvent event;
  event.type = Type::Progress;
  event.stage = stage;
  event.data = std::to_string(done);
  return event;
}

TEST(ProgressGate, LetsOneASecondThroughAndKeepsTheNewest) {
  ProgressGate gate;
  const ProgressGate::Time start{};
  EXPECT_EQ(gate.offer(progress("train", 1), start)->data, "1");
  EXPECT_FALSE(gate.offer(progress("train", 2), start + 100ms));
  EXPECT_FALSE(gate.offer(progress("train", 3), start + 900ms));
  EXPECT_FALSE(gate.due(start + 999ms));
  EXPECT_EQ(gate.due(start + 1s)->data, "3");
  EXPECT_FALSE(gate.due(start + 5s));
}

TEST(ProgressGate, LetsANewStageThroughAtOnce) {
  ProgressGate gate;
  const ProgressGate::Time start{};
  gate.offer(progress("load", 1), start);
  EXPECT_EQ(gate.offer(progress("train", 0), start + 1ms)->data, "0");
}

TEST(ProgressGate, GivesTheLastOneAtTheEnd) {
  ProgressGate gate;
  const ProgressGate::Time start{};
  gate.offer(progress("train", 1), start);
  gate.offer(progress("train", 2), start + 1ms);
  EXPECT_EQ(gate.flush()->data, "2");
  EXPECT_FALSE(gate.flush());
}

}  // namespace
}  // namespace hone::worker
