// The arrows between folders, as ARCHITECTURE.md draws them: services -> storage, rl -> feedback.
// Reads every #include of the project's C++ and names the wrong ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/arrows/tree.h"

namespace hone::tree {
namespace {

using Names = std::set<std::string, std::less<>>;

/// What a part may include: other parts by their folder, and libraries by the first word of the
/// include. The standard library, the system's C headers and the part itself are open to all
/// (feedback, which is std only, has no system headers either).
struct Rule {
  std::string_view folder;
  Names parts;
  Names libraries;
};

/// The longest folder that fits a file decides.
const std::vector<Rule> kRules = {
    {"feedback", {}, {}},
    {"storage", {"feedback"}, {"pqxx", "hiredis", "openssl", "libpq-fe.h"}},
    {"rl", {"feedback"}, {"ATen", "c10", "torch", "caffe2"}},
    {"rl/ops/cuda",
     {"feedback", "rl"},
     {"ATen", "c10", "torch", "cuda_runtime_api.h", "cublas_v2.h"}},
    {"rl/formats", {"feedback", "rl"}, {"ATen", "c10", "torch", "nlohmann", "openssl"}},
    {"rl/tokenizer", {"feedback", "rl"}, {"pcre2.h", "utf8proc.h", "nlohmann"}},
    {"rl/chat", {"feedback", "rl"}, {"nlohmann"}},
    // JSON has its edges (HTTP; file formats); what trains writes lines of metrics and a state
    // file.
    {"rl/data", {"feedback", "rl"}, {"ATen", "c10", "torch", "nlohmann"}},
    // Verifiers search what was sampled.
    {"rl/reward", {"feedback", "rl"}, {"ATen", "c10", "torch", "pcre2.h"}},
    {"rl/train", {"feedback", "rl"}, {"ATen", "c10", "torch", "nlohmann"}},
    {"rl/eval", {"feedback", "rl"}, {"ATen", "c10", "torch", "nlohmann"}},
    {"services/shared",
     {"feedback"},
     {"nlohmann", "spdlog", "pcre2.h", "utf8proc.h", "openssl", "sodium.h", "curl"}},
    {"services/httpd", {"feedback/base"}, {"boost", "openssl"}},
    {"services/server",
     {"feedback", "storage", "services/shared", "services/httpd"},
     {"nlohmann", "spdlog", "boost", "sodium.h", "openssl"}},
    {"services/worker", {"feedback", "storage", "services/shared"}, {"nlohmann", "spdlog"}},
    {"services/cli", {"feedback", "storage", "services/shared"}, {"nlohmann", "curl"}},
    {"services/run",
     {"feedback", "rl", "services/shared"},
     {"nlohmann", "spdlog", "ATen", "c10", "torch", "jemalloc"}},
};

bool under(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

const Rule* rule_of(std::string_view path) {
  const Rule* best = nullptr;
  for (const auto& rule : kRules)
    if (under(path, rule.folder) && (!best || rule.folder.size() > best->folder.size()))
      best = &rule;
  return best;
}

/// `#include "feedback/base/error.h"` -> feedback/base/error.h; nothing for other lines.
std::optional<std::string_view> included(std::string_view line) {
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos || line[begin] != '#') return std::nullopt;
  line.remove_prefix(begin + 1);
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  if (!line.starts_with("include")) return std::nullopt;
  const auto open = line.find_first_of("<\"");
  if (open == std::string_view::npos) return std::nullopt;
  const auto close = line.find_first_of(">\"", open + 1);
  if (close == std::string_view::npos) return std::nullopt;
  return line.substr(open + 1, close - open - 1);
}

bool is_own(std::string_view include) {
  static const std::vector<std::string_view> kOwn = {"feedback", "storage", "rl",
                                                     "services", "tests",   "web"};
  return std::any_of(kOwn.begin(), kOwn.end(), [&](auto part) { return under(include, part); });
}

/// A header of the standard library has no dot (`vector`); of the C library or the kernel it is
/// `unistd.h`, `sys/stat.h`, `linux/...`. Generated headers of the build begin with hone_.
bool is_system(std::string_view include) {
  static const Names kSystem = {
      "unistd.h",   "fcntl.h",  "signal.h", "errno.h",  "poll.h",    "dlfcn.h",     "pthread.h",
      "sched.h",    "time.h",   "stdlib.h", "string.h", "termios.h", "pwd.h",       "grp.h",
      "limits.h",   "stdio.h",  "spawn.h",  "dirent.h", "netdb.h",   "immintrin.h", "cpuid.h",
      "execinfo.h", "malloc.h", "numa.h",   "omp.h",    "getopt.h",  "sysexits.h",  "stdint.h"};
  if (include.find('/') == std::string_view::npos && include.find('.') == std::string_view::npos)
    return true;
  return kSystem.contains(include) || under(include, "sys") || under(include, "linux") ||
         under(include, "netinet") || under(include, "arpa") || include.starts_with("hone_");
}

/// Why an include is not allowed, or nothing.
std::optional<std::string> wrong(std::string_view path, std::string_view include) {
  if (under(path, "tests")) return std::nullopt;  // tests may look at anything
  const auto* rule = rule_of(path);
  if (!rule) return "lies in no folder that this test knows";
  if (is_own(include)) {
    if (under(include, "tests")) return "nothing includes tests";
    if (under(include, "rl") && under(path, "rl")) return std::nullopt;
    if (under(include, rule->folder)) return std::nullopt;
    for (const auto& part : rule->parts)
      if (under(include, part)) return std::nullopt;
    return std::string(rule->folder) + " may not include it";
  }
  if (is_system(include)) {
    const bool standard = include.find('.') == std::string_view::npos;
    if (under(path, "feedback") && !standard && !include.starts_with("hone_"))
      return "feedback is the standard library only";
    return std::nullopt;
  }
  const auto library = include.substr(0, include.find('/'));
  // fmt stands in for std::format, which the oldest compiler here lacks.
  if (library == "fmt" && !under(path, "feedback")) return std::nullopt;
  if (rule->libraries.contains(library)) return std::nullopt;
  return "the library " + std::string(library) + " is not for " + std::string(rule->folder);
}

bool is_cpp(std::string_view path) {
  return path.ends_with(".h") || path.ends_with(".cpp") || path.ends_with(".cu");
}

TEST(Arrows, EveryIncludePointsDown) {
  const auto files = read_files(is_cpp);
  ASSERT_GT(files.size(), 50U) << "the project's sources were not found under " << HONE_SOURCE_DIR;
  for (const auto& file : files) {
    for_each_line(file.text, [&](int line, std::string_view text) {
      const auto include = included(text);
      if (!include) return;
      if (const auto why = wrong(file.path, *include))
        ADD_FAILURE() << file.path << ":" << line << " includes " << *include << ": " << *why;
    });
  }
}

TEST(Arrows, TorchAndJsonStayOutOfOtherFoldersHeaders) {
  // Headers spread: torch's cost seconds in every file that sees them, and json.hpp, Beast
  // likewise.
  for (const auto& file : read_files(
           [](std::string_view path) { return path.ends_with(".h") && !under(path, "tests"); })) {
    for_each_line(file.text, [&](int line, std::string_view text) {
      const auto include = included(text);
      if (!include) return;
      EXPECT_FALSE(*include == "torch/torch.h")
          << file.path << ":" << line << ": costs half a minute a file; name the ops";
      EXPECT_FALSE(under(*include, "boost/beast") && !under(file.path, "services/httpd") &&
                   !under(file.path, "services/server"))
          << file.path << ":" << line << ": Beast stays in services/httpd";
    });
  }
}

TEST(Arrows, AWrongArrowIsNamed) {
  EXPECT_FALSE(wrong("services/server/main.cpp", "storage/repo/judgments.h"));
  EXPECT_FALSE(wrong("rl/train/dpo.cpp", "feedback/base/error.h"));
  EXPECT_FALSE(wrong("feedback/base/error.h", "string"));
  EXPECT_TRUE(wrong("feedback/base/error.h", "unistd.h"));
  EXPECT_TRUE(wrong("feedback/base/error.h", "nlohmann/json.hpp"));
  EXPECT_TRUE(wrong("rl/train/dpo.cpp", "storage/repo/judgments.h"));
  EXPECT_TRUE(wrong("storage/repo/jobs.cpp", "rl/loss/dpo.h"));
  EXPECT_TRUE(wrong("storage/repo/jobs.cpp", "services/shared/json.h"));
  EXPECT_TRUE(wrong("services/worker/launcher.cpp", "ATen/ATen.h"));
  EXPECT_TRUE(wrong("services/httpd/router.h", "storage/postgres/pool.h"));
  EXPECT_TRUE(wrong("services/httpd/router.h", "feedback/labelling/judgment.h"));
  EXPECT_TRUE(wrong("services/run/main.cpp", "storage/artifacts/store.h"));
  EXPECT_TRUE(wrong("services/run/main.cpp", "tests/support/tiny_model.h"));
  EXPECT_TRUE(wrong("elsewhere/new.cpp", "vector"));
}

TEST(Arrows, IncludesAreReadAsThePreprocessorReadsThem) {
  EXPECT_EQ(included("#include <vector>"), "vector");
  EXPECT_EQ(included("  #  include \"rl/loss/dpo.h\"  // why"), "rl/loss/dpo.h");
  EXPECT_FALSE(included("// #include <vector>"));
  EXPECT_FALSE(included("#define X <vector>"));
}

}  // namespace
}  // namespace hone::tree
