#include "services/worker/outcome.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

namespace hone::worker {
namespace {

using Kind = Outcome::Kind;

RunResult result(bool ok, const char* blame = "", const char* code = "") {
  RunResult out;
  out.ok = ok;
  out.blame = blame;
  out.code = code;
  return out;
}

struct Row {
  Exit exit;
  Ended ended;
  std::optional<RunResult> result;
  Kind kind;
  Blame blame;
  const char* code;
};

TEST(Outcome, FollowsTheTableOfWhoseFaultItIs) {
  const Row rows[] = {
      {{0, 0}, Ended::ByItself, result(true), Kind::Succeeded, Blame::None, ""},
      {{0, 0}, Ended::ByItself, {}, Kind::Retry, Blame::Bug, "no_result"},
      {{0, SIGKILL}, Ended::ByItself, {}, Kind::Retry, Blame::Infra, "killed"},
      {{0, SIGSEGV}, Ended::ByItself, {}, Kind::Retry, Blame::Bug, "crashed"},
      {{64, 0}, Ended::ByItself, {}, Kind::Failed, Blame::User, "spec_invalid"},
      {{65, 0}, Ended::ByItself, {}, Kind::Failed, Blame::User, "data_invalid"},
      {{70, 0}, Ended::ByItself, {}, Kind::Retry, Blame::Bug, "bug"},
      {{74, 0}, Ended::ByItself, {}, Kind::Retry, Blame::Infra, "io"},
      {{74, 0},
       Ended::ByItself,
       result(false, "infra", "no_space"),
       Kind::Retry,
       Blame::Infra,
       "no_space"},
      {{75, 0}, Ended::ByItself, {}, Kind::Retry, Blame::Infra, "try_again"},
      {{1, 0}, Ended::ByItself, {}, Kind::Retry, Blame::Bug, "unknown_exit"},
      {{65, 0},
       Ended::ByItself,
       result(false, "user", "diverged"),
       Kind::Failed,
       Blame::User,
       "diverged"},
      {{70, 0},
       Ended::ByItself,
       result(false, "user", "cuda_oom"),
       Kind::Retry,
       Blame::User,
       "cuda_oom"},
      {{75, 0}, Ended::Drained, {}, Kind::Retry, Blame::Infra, "drained"},
      {{0, SIGKILL}, Ended::Drained, {}, Kind::Retry, Blame::Infra, "drained"},
      {{75, 0}, Ended::Cancelled, {}, Kind::Cancelled, Blame::None, "cancelled"},
      {{0, SIGKILL}, Ended::Stalled, {}, Kind::Retry, Blame::Infra, "stalled"},
      {{0, SIGKILL}, Ended::LeaseLost, {}, Kind::LeaseLost, Blame::Infra, "lease_lost"},
      // It had finished when the signal came.
      {{0, 0}, Ended::Cancelled, result(true), Kind::Succeeded, Blame::None, ""},
      {{0, 0}, Ended::Drained, result(true), Kind::Succeeded, Blame::None, ""},
      // Its success is not ours to record any more.
      {{0, 0}, Ended::LeaseLost, result(true), Kind::LeaseLost, Blame::Infra, "lease_lost"},
  };
  for (const auto& row : rows) {
    const auto out = outcome_of(row.exit, row.ended, row.result);
    EXPECT_EQ(out.kind, row.kind) << row.code << " " << row.exit.status;
    EXPECT_EQ(out.blame, row.blame) << row.code << " " << row.exit.status;
    EXPECT_EQ(out.code, row.code);
    EXPECT_EQ(out.detail.empty(), out.kind == Kind::Succeeded) << row.code;
  }
}

class ResultFile : public ::testing::Test {
 protected:
  std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("hone-result-" + std::to_string(getpid()));
  void TearDown() override { std::filesystem::remove(file); }
  void write(const std::string& text) { std::ofstream(file) << text; }
};

TEST_F(ResultFile, NamesTheSettingTheLineAndTheStep) {
  write(
      R"({"ok":false,"blame":"user","code":"data_invalid","detail":"no prompt","param":"data","line":7,"step":0})");
  const auto out = outcome_of({65, 0}, Ended::ByItself, read_result(file));
  EXPECT_EQ(out.kind, Kind::Failed);
  EXPECT_EQ(out.param, "data");
  EXPECT_EQ(out.line, 7);
  EXPECT_EQ(out.detail, "no prompt");
}

TEST_F(ResultFile, IsMissingWhenItIsNotWhole) {
  EXPECT_FALSE(read_result(file));
  for (const char* text : {"", "{", "[]", R"({"ok":"yes"})"}) {
    write(text);
    EXPECT_FALSE(read_result(file)) << text;
  }
}

}  // namespace
}  // namespace hone::worker
