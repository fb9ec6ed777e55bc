// The launcher with real processes: scripts in the place of hone-run.
#include "services/worker/supervise.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "feedback/base/error.h"

namespace hone::worker {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

class Supervise : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("hone-supervise-" + std::to_string(getpid()));
    fs::create_directories(folder);
    how.on_line = [this](std::string_view line, Stall& stall) {
      lines.emplace_back(line);
      stall.tick(Clock::now());
    };
    how.error_log = folder / "err.log";
  }
  void TearDown() override { fs::remove_all(folder); }

  Child::Options script(const std::string& text) {
    return {{"/bin/sh", "-c", text}, {"PATH=/usr/bin:/bin", "GIVEN=yes"}, folder};
  }
  Supervised run(const std::string& text) { return run(script(text)); }
  Supervised run(const Child::Options& program) {
    Heartbeat heartbeat([this] { return answer(); }, times, Clock::now());
    return supervise(program, how, heartbeat, stop.get_token());
  }
  std::string errors() {
    std::ifstream in(how.error_log);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  fs::path folder;
  Supervision how;
  std::vector<std::string> lines;
  std::stop_source stop;
  Heartbeat::Times times{10ms, 150ms, 60s};
  std::function<Renewal()> answer = [] { return Renewal{}; };
};

TEST_F(Supervise, ReadsLinesErrorsAndStatus) {
  const auto out = run("echo one; echo oops >&2; printf 'two\\nthree'; exit 65");
  EXPECT_EQ(out.exit, (Exit{65, 0}));
  EXPECT_EQ(out.ended, Ended::ByItself);
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(errors(), "oops\n");
}

TEST_F(Supervise, ReadsAllThatIsWrittenBeforeTheEnd) {
  run("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
  ASSERT_EQ(lines.size(), 20000u);
  EXPECT_EQ(lines.back(), "line 19999");
}

TEST_F(Supervise, GivesTheChildNothingOfItsOwnEnvironmentOrFiles) {
  setenv("HONE_DATABASE_URL", "postgresql://secret", 1);
  const int leak = open("/dev/null", O_RDONLY);  // opened without O_CLOEXEC
  run("env | sort; ls /proc/$$/fd | tr '\\n' ' '; echo");
  close(leak);
  unsetenv("HONE_DATABASE_URL");
  ASSERT_FALSE(lines.empty());
  for (const auto& line : lines) EXPECT_EQ(line.find("secret"), std::string::npos);
  EXPECT_EQ(lines.front(), "GIVEN=yes");
  EXPECT_EQ(lines.back(), "0 1 2 ");
}

TEST_F(Supervise, SaysWhyAProgramCannotStart) {
  Heartbeat heartbeat(answer, times, Clock::now());
  try {
    supervise({{"/no/such/program"}, {}, folder}, how, heartbeat, stop.get_token());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.detail(), "cannot start /no/such/program: No such file or directory");
  }
}

TEST_F(Supervise, AsksToStopOnCancelAndWaitsForTheEnd) {
  answer = [] { return Renewal{.ours = true, .cancel_requested = true}; };
  const auto out = run("trap 'echo saved; exit 75' TERM; while :; do sleep 0.01; done");
  EXPECT_EQ(out.exit, (Exit{75, 0}));
  EXPECT_EQ(out.ended, Ended::Cancelled);
  EXPECT_EQ(lines, std::vector<std::string>{"saved"});
}

TEST_F(Supervise, KillsAfterTheGrace) {
  how.grace = 200ms;
  stop.request_stop();
  const auto start = Clock::now();
  const auto out = run("trap '' TERM; while :; do sleep 0.01; done");
  EXPECT_EQ(out.exit, (Exit{0, SIGKILL}));
  EXPECT_EQ(out.ended, Ended::Drained);
  EXPECT_GE(Clock::now() - start, 200ms);
}

TEST_F(Supervise, KillsTheWholeGroupWhenTheLeaseIsLost) {
  std::atomic<int> beats = 0;
  answer = [&] { return Renewal{.ours = ++beats < 20}; };
  const auto out = run("sleep 1000 & echo $!; wait");
  EXPECT_EQ(out.ended, Ended::LeaseLost);
  ASSERT_EQ(lines.size(), 1u);
  const auto grandchild = std::stoi(lines[0]);
  const auto end = Clock::now() + 5s;
  // Dead, or waiting for init to collect it.
  const auto alive = [&] {
    std::ifstream status("/proc/" + std::to_string(grandchild) + "/stat");
    std::string pid, name, state;
    return status >> pid >> name >> state && state != "Z";
  };
  while (alive() && Clock::now() < end) std::this_thread::sleep_for(5ms);
  EXPECT_FALSE(alive());
}

TEST_F(Supervise, PausesInDoubtAndGoesOnWhenTheLeaseIsProven) {
  std::atomic<bool> reachable = false;
  answer = [&] {
    if (!reachable) throw std::runtime_error("no contact");
    return Renewal{};
  };
  how.on_line = [&](std::string_view line, Stall&) {
    lines.emplace_back(line);
    if (line == "paused") reachable = true;
  };
  // Perl, since a shell cannot listen to what was ignored when it started.
  auto program = script("");
  program.arguments = {"/usr/bin/perl", "-e",
                       "$| = 1; $SIG{USR1} = sub { print \"paused\\n\" };"
                       "$SIG{USR2} = sub { print \"goes on\\n\"; exit 0 }; sleep 1 while 1;"};
  const auto out = run(program);
  EXPECT_EQ(out.exit, (Exit{0, 0}));
  ASSERT_GE(lines.size(), 2u);
  EXPECT_EQ(lines.front(), "paused");
  EXPECT_EQ(lines.back(), "goes on");
}

TEST_F(Supervise, DoesNotEndAChildThatIsNotListeningYet) {
  std::atomic<int> beats = 0;
  answer = [&]() -> Renewal {
    if (++beats < 20) throw std::runtime_error("no contact");
    return {};
  };
  times.doubt_after = 20ms;
  EXPECT_EQ(run("sleep 0.6; exit 3").exit, (Exit{3, 0}));
}

TEST_F(Supervise, EndsAChildThatGivesNoSignOfProgress) {
  how.stall.before_first_step = 300ms;
  const auto out = run("echo loading; exec sleep 1000");
  EXPECT_EQ(out.ended, Ended::Stalled);
  EXPECT_EQ(out.exit, (Exit{0, SIGKILL}));
}

TEST_F(Supervise, HoldsTheChildBackWhileNobodyCanTakeMore) {
  std::atomic<bool> hold = true;
  how.hold_back = [&] { return hold.load(); };
  how.stall.before_first_step = 300ms;
  how.on_tick = [&, start = Clock::now()] {
    if (Clock::now() - start > 700ms) hold = false;
  };
  const auto out =
      run("i=0; while [ $i -lt 9000 ]; do echo a line that fills the pipe $i; i=$((i+1)); done");
  EXPECT_EQ(out.exit, (Exit{0, 0}));  // waiting for us is no stall
  EXPECT_EQ(lines.size(), 9000u);
}

TEST_F(Supervise, TakesTheChildWithItWhenItIsKilled) {
  int to_us[2];
  ASSERT_EQ(pipe(to_us), 0);
  const pid_t supervisor = fork();
  if (supervisor == 0) {
    how.on_line = [&](std::string_view line, Stall&) {
      [[maybe_unused]] auto n = write(to_us[1], line.data(), line.size());
    };
    run("echo $$; exec sleep 1000");
    _exit(0);
  }
  char text[32]{};
  ASSERT_GT(read(to_us[0], text, sizeof text - 1), 0);
  const auto child = std::stoi(text);
  kill(supervisor, SIGKILL);
  waitpid(supervisor, nullptr, 0);
  const auto end = Clock::now() + 5s;
  const auto alive = [&] {
    std::ifstream status("/proc/" + std::to_string(child) + "/stat");
    std::string pid, name, state;
    return status >> pid >> name >> state && state != "Z";
  };
  while (alive() && Clock::now() < end) std::this_thread::sleep_for(5ms);
  EXPECT_FALSE(alive());
}

}  // namespace
}  // namespace hone::worker
