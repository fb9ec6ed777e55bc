// hone: the command line. Operator commands use the installation's database directly; all others
// are HTTP calls, so what works here works from anywhere.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "feedback/base/error.h"
#include "hone_revision.h"
#include "services/cli/command.h"

namespace hone::cli {

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 64;

std::vector<std::string> split_words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

void print_help(std::FILE* out) {
  fmt::print(out, "hone: labels, alignment runs and published models, on your own machines\n\n");
  for (const auto& command : commands())
    fmt::print(out, "  hone {:<18} {}\n", command.words, command.summary);
  fmt::print(
      out,
      "\n`hone COMMAND --help` says what a command takes. Most print JSON with --json.\n"
      "HONE_URL and HONE_TOKEN name the server and the token of the commands that speak HTTP;\n"
      "HONE_DATABASE_URL and HONE_HOME the installation of the others (services/local/hone-local "
      "env).\n");
}

void print_usage(const Command& command, std::FILE* out) {
  fmt::print(out, "{}\n\n  hone {} {}\n", command.summary, command.words, command.usage);
}

/// The command whose words begin the line: the longest one.
const Command* find_command(const std::vector<std::string>& words, std::size_t& used) {
  const Command* best = nullptr;
  for (const auto& command : commands()) {
    const auto own = split_words(command.words);
    if (own.size() > words.size() || !std::equal(own.begin(), own.end(), words.begin())) continue;
    if (best && own.size() <= used) continue;
    best = &command;
    used = own.size();
  }
  return best;
}

int run(const std::vector<std::string>& words) {
  if (words.empty() || words[0] == "--help" || words[0] == "help") {
    print_help(words.empty() ? stderr : stdout);
    return words.empty() ? kUsage : 0;
  }
  if (words[0] == "--version") {
    fmt::print("hone {}{}\n", HONE_REVISION, HONE_REVISION_DIRTY ? " with changes" : "");
    return 0;
  }
  std::size_t used = 0;
  const auto* command = find_command(words, used);
  if (!command) {
    fmt::print(stderr, "hone: unknown command \"{}\". `hone --help` lists them all\n", words[0]);
    return kUsage;
  }
  const std::vector<std::string> rest(words.begin() + static_cast<std::ptrdiff_t>(used),
                                      words.end());
  if (std::find(rest.begin(), rest.end(), "--help") != rest.end()) {
    print_usage(*command, stdout);
    return 0;
  }
  std::optional<Args> args;
  try {
    args.emplace(command->syntax, rest);
  } catch (const Error& e) {
    fmt::print(stderr, "hone {}: {}\nusage: hone {} {}\n", command->words, e.detail(),
               command->words, command->usage);
    return kUsage;
  }
  return command->act(*args);
}

}  // namespace

}  // namespace hone::cli

int main(int argc, char** argv) {
  // A pipe whose reader left is an answer, not a crash.
  try {
    return hone::cli::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const hone::Error& e) {
    std::fflush(stdout);
    const auto place = e.pointer().substr(e.pointer().starts_with('/') ? 1 : 0);
    fmt::print(stderr, "hone: {}{}{}\n", place.empty() ? "" : place + ": ", e.detail(),
               e.line() > 0 ? fmt::format(" (line {})", e.line()) : "");
  } catch (const std::exception& e) {
    std::fflush(stdout);
    fmt::print(stderr, "hone: unexpected failure: {}\n", e.what());
  }
  return hone::cli::kFailed;
}
