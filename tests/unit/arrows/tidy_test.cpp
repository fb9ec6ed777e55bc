// The tree checks itself: what a machine can see of the house rules, in every text file.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/arrows/tree.h"

namespace hone::tree {
namespace {

bool ends_with_one_of(std::string_view path, std::initializer_list<std::string_view> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](auto end) { return path.ends_with(end); });
}

/// Text that people wrote: not lock files, licences, data of tests, or pictures.
bool is_written(std::string_view path) {
  if (ends_with_one_of(path, {"package-lock.json", "LICENSE", ".jsonl", ".png", ".svg", ".gz",
                              ".safetensors", ".gguf", ".json"}))
    return false;
  return path.find("/data/") == std::string_view::npos &&
         path.find("/golden/") == std::string_view::npos;
}

/// Words that have no place in a finished tree. Put together here from halves, so that this file
/// does not name itself.
std::vector<std::string> unwanted() {
  return {std::string("TO") + "DO",           std::string("FIX") + "ME",
          std::string("XX") + "X ",           std::string("/home") + "/",
          std::string("/Users") + "/",        std::string("/work") + "/main",
          std::string("/work") + "/shared",   std::string("files.python") + "hosted",
          std::string("registry.npm") + "js", std::string("pypi") + ".org",
          std::string("<<<<") + "<<<",        std::string("-----BEGIN ") + "PRIVATE",
          std::string("std::") + "format(",   std::string("pickle") + ".load"};
}

TEST(Tidy, NoFileHoldsALeftoverOrAMachinePath) {
  const auto words = unwanted();
  for (const auto& file : read_files(is_written)) {
    for_each_line(file.text, [&](int line, std::string_view text) {
      for (const auto& word : words)
        EXPECT_EQ(text.find(word), std::string_view::npos)
            << file.path << ":" << line << " says " << word;
    });
  }
}

TEST(Tidy, LinesHaveNoTabOrSpaceAtTheirEndAndFilesEndWithALine) {
  const auto code = [](std::string_view path) {
    return ends_with_one_of(
        path, {".h", ".cpp", ".ts", ".sql", ".sh", ".py", "CMakeLists.txt", ".cmake", ".css"});
  };
  for (const auto& file : read_files(code)) {
    EXPECT_TRUE(file.text.empty() || file.text.back() == '\n')
        << file.path << " does not end with a line break";
    for_each_line(file.text, [&](int line, std::string_view text) {
      EXPECT_FALSE(text.ends_with(' ') || text.ends_with('\t') || text.ends_with('\r'))
          << file.path << ":" << line;
    });
  }
}

TEST(Tidy, AHeaderSaysInItsFirstLineWhatItIsFor) {
  for (const auto& file : read_files([](std::string_view path) { return path.ends_with(".h"); })) {
    const auto first = std::string_view(file.text).substr(0, file.text.find('\n'));
    EXPECT_TRUE(first.starts_with("// ") || first.starts_with("/// ") || first.starts_with("/*"))
        << file.path << " begins with: " << first;
  }
}

TEST(Tidy, SourceFilesStayShort) {
  // 400 lines is where a file is asked for its second idea; tables and tests may be longer.
  for (const auto& file : read_files([](std::string_view path) {
         return ends_with_one_of(path, {".h", ".cpp"}) && !path.starts_with("tests/");
       })) {
    const auto lines = std::count(file.text.begin(), file.text.end(), '\n');
    EXPECT_LT(lines, 800) << file.path;
  }
}

TEST(Tidy, NothingIsRunThatWasNotMadeExecutable) {
  for (const auto& file : read_files([](std::string_view path) {
         return path.starts_with("scripts/") || path.starts_with(".ci/") ||
                path == "services/local/hone-local";
       })) {
    if (!file.text.starts_with("#!")) continue;
    const auto mode =
        std::filesystem::status(std::filesystem::path(HONE_SOURCE_DIR) / file.path).permissions();
    EXPECT_NE(mode & std::filesystem::perms::owner_exec, std::filesystem::perms::none) << file.path;
  }
}

}  // namespace
}  // namespace hone::tree
