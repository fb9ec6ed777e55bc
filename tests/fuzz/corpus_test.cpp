// The fuzz targets in the ordinary build, on the files of corpus/ (good ones and near misses that
// libFuzzer starts from) and found/ (inputs that once failed).
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <vector>

#include "tests/fuzz/targets.h"

#include "rl/formats/files.h"

namespace hone::fuzz {
namespace {

namespace fs = std::filesystem;

using Run = void (*)(std::string_view);
#define HONE_TARGET(name) \
  { #name, name }
const std::map<std::string, Run> kTargets = {
    HONE_TARGET(safetensors),  HONE_TARGET(safetensors_index), HONE_TARGET(gguf),
    HONE_TARGET(config),       HONE_TARGET(generation_config), HONE_TARGET(adapter_config),
    HONE_TARGET(tokenizer),    HONE_TARGET(chat_template),     HONE_TARGET(model_json),
    HONE_TARGET(service_json), HONE_TARGET(import_rows),       HONE_TARGET(rule_critic)};

std::vector<fs::path> files_of(const std::string& kind, const std::string& target) {
  std::vector<fs::path> files;
  const auto folder = fs::path(HONE_SOURCE_DIR) / "tests/fuzz" / kind / target;
  if (fs::is_directory(folder))
    for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

class FuzzTarget : public testing::TestWithParam<std::string> {};

TEST_P(FuzzTarget, TakesOrRefusesEveryFileOfItsCorpusAndAllThatOnceFailed) {
  const auto run = kTargets.at(GetParam());
  run("");
  EXPECT_FALSE(files_of("corpus", GetParam()).empty());
  for (const auto* kind : {"corpus", "found"})
    for (const auto& file : files_of(kind, GetParam())) {
      SCOPED_TRACE(file.string());
      EXPECT_NO_THROW(run(rl::read_file(file, 1 << 24)));
    }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& [name, run] : kTargets) all.push_back(name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, FuzzTarget, testing::ValuesIn(names()),
                         [](const auto& test) { return test.param; });

TEST(FuzzFolders, HoldOnlyInputsOfTargetsThatExist) {
  for (const auto* kind : {"corpus", "found"}) {
    const auto folder = fs::path(HONE_SOURCE_DIR) / "tests/fuzz" / kind;
    if (!fs::is_directory(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder))
      EXPECT_TRUE(kTargets.contains(entry.path().filename().string())) << entry.path();
  }
}

}  // namespace
}  // namespace hone::fuzz
