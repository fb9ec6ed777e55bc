// A sample job: each answer is a line that says how it was drawn, and an attempt that goes on keeps
// those that are there.
#include "services/run/sample_job.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "services/run/failures.h"

namespace hone::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class SampleJob : public ::testing::Test {
 protected:
  SampleJob()
      : folder(fs::path(::testing::TempDir()) / ("hone-sample-" + std::to_string(::getpid()))) {
    fs::create_directories(folder);
    std::ofstream prompts(folder / "prompts.jsonl");
    for (const char* id : {"a", "b", "c"})
      prompts << json{{"id", id},
                      {"messages", {{{"role", "user"}, {"content", std::string("Say ") + id}}}}}
                     .dump()
              << '\n';
  }
  ~SampleJob() override {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  int run(const json& more) {
    json spec{{"kind", "sample"},
              {"base", std::string(HONE_SOURCE_DIR) + "/tests/golden/rl/formats/tiny"},
              {"prompts", "prompts.jsonl"},
              {"n", 2},
              {"max_tokens", 5},
              {"seed", 3}};
    spec.update(more);
    ::testing::internal::CaptureStdout();
    const int code = sample_job(spec, folder, result);
    events = ::testing::internal::GetCapturedStdout();
    return code;
  }

  std::vector<json> lines() const {
    std::vector<json> out;
    std::ifstream file(folder / "responses.jsonl");
    for (std::string line; std::getline(file, line);) out.push_back(json::parse(line));
    return out;
  }

  fs::path folder;
  nlohmann::ordered_json result;
  std::string events;
};

TEST_F(SampleJob, EachLineNamesTheNumbersThatItWasComputedIn) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    fs::remove(folder / "responses.jsonl");
    ASSERT_EQ(run({{"dtype", dtype}}), kDone);
    const auto made = lines();
    ASSERT_EQ(made.size(), 6u);
    for (const auto& line : made) {
      EXPECT_EQ(line.at("dtype"), dtype);
      EXPECT_EQ(line.at("seed"), 3);
    }
  }
  fs::remove(folder / "responses.jsonl");
  ASSERT_EQ(run(json::object()), kDone);  // auto: one of the two
  EXPECT_THAT(lines().at(0).at("dtype"), ::testing::AnyOf(json("float32"), json("bfloat16")));
}

TEST_F(SampleJob, GoesOnBehindWhatAnEarlierAttemptDrew) {
  ASSERT_EQ(run({{"dtype", "float32"}}), kDone);
  const auto whole = lines();
  std::ofstream cut(folder / "responses.jsonl", std::ios::trunc);
  for (int i = 0; i < 4; ++i) cut << whole[static_cast<std::size_t>(i)].dump() << '\n';
  cut << whole[4].dump().substr(0, 20);  // killed in the middle of a line
  cut.close();
  ASSERT_EQ(run({{"dtype", "float32"}}), kDone);
  EXPECT_EQ(result.at("samples"), 6);
  auto again = lines();
  ASSERT_EQ(again.size(), 6u);
  const auto by_place = [](const json& a, const json& b) {
    return std::pair(a.at("prompt_id"), a.at("index")) <
           std::pair(b.at("prompt_id"), b.at("index"));
  };
  auto wanted = whole;
  std::ranges::sort(wanted, by_place);
  std::ranges::sort(again, by_place);
  EXPECT_EQ(again, wanted);
  EXPECT_THAT(events, ::testing::HasSubstr(R"("stage":"sample","done":4,"total":6,"eta_s":null)"));
}

TEST_F(SampleJob, DrawsTheSameUnderOtherNames) {
  ASSERT_EQ(run({{"dtype", "float32"}}), kDone);
  const auto first = lines();
  std::ofstream(folder / "renamed.jsonl")
      << json{{"id", "z"}, {"messages", {{{"role", "user"}, {"content", "Say b"}}}}}.dump() << '\n';
  ASSERT_EQ(run({{"dtype", "float32"}, {"prompts", "renamed.jsonl"}, {"out", "other.jsonl"}}),
            kDone);
  std::ifstream other(folder / "other.jsonl");
  int count = 0;
  for (std::string line; std::getline(other, line); ++count) {
    const auto renamed = json::parse(line);
    EXPECT_EQ(std::ranges::count_if(first,
                                    [&](const json& one) {
                                      return one.at("prompt_id") == "b" &&
                                             one.at("index") == renamed.at("index") &&
                                             one.at("ids") == renamed.at("ids");
                                    }),
              1);
  }
  EXPECT_EQ(count, 2);
}

TEST_F(SampleJob, RefusesNumbersThatThereAreNot) {
  try {
    run({{"dtype", "float16"}});
    FAIL() << "was taken";
  } catch (const std::exception& e) {
    ::testing::internal::GetCapturedStdout();
    EXPECT_THAT(e.what(), ::testing::HasSubstr("dtype"));
  }
}

}  // namespace
}  // namespace hone::run
