// The words after `hone`, and the table that reads them.
#include "services/cli/args.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "feedback/base/error.h"
#include "services/cli/command.h"

namespace hone::cli {
namespace {

const Syntax kSyntax = {.options = {"base", "seed"},
                        .repeated = {"set"},
                        .switches = {"follow"},
                        .positional_min = 1,
                        .positional_max = 2};

std::string complaint(const std::vector<std::string>& words) {
  try {
    Args(kSyntax, words);
  } catch (const Error& e) {
    return e.detail();
  }
  return "";
}

TEST(Args, OptionsMayStandAnywhereAndTakeBothForms) {
  const Args args(kSyntax, {"--base", "smol", "project", "--seed=7", "--follow", "file"});
  EXPECT_EQ(args.at(0), "project");
  EXPECT_EQ(args.at(1), "file");
  EXPECT_EQ(args.find("base"), "smol");
  EXPECT_EQ(args.integer("seed"), 7);
  EXPECT_TRUE(args.has("follow"));
  EXPECT_FALSE(args.has("json"));
}

TEST(Args, AWordAfterTwoDashesIsNeverAnOption) {
  const Args args(kSyntax, {"--", "--base", "-x"});
  EXPECT_EQ(args.at(0), "--base");
  EXPECT_EQ(args.at(1), "-x");
}

TEST(Args, RepeatedOptionsKeepTheirOrder) {
  const Args args(kSyntax, {"p", "--set", "a=1", "--set", "b=2"});
  EXPECT_EQ(args.all("set"), (std::vector<std::string>{"a=1", "b=2"}));
}

TEST(Args, EachMistakeIsNamed) {
  EXPECT_EQ(complaint({"p", "--bases", "x"}), "unknown option --bases");
  EXPECT_EQ(complaint({"p", "--base"}), "--base needs a value");
  EXPECT_EQ(complaint({"p", "--base", "x", "--base", "y"}), "--base is given twice");
  EXPECT_EQ(complaint({"p", "--follow=yes"}), "--follow takes no value");
  EXPECT_EQ(complaint({"p", "q", "r"}), "\"r\" is one word too many");
  EXPECT_EQ(complaint({}), "something is missing");
}

TEST(Args, NumbersAreWholeOrRefused) {
  const Args args(kSyntax, {"p", "--seed", "7x", "--base", "0.5"});
  EXPECT_THROW(args.integer("seed"), Error);
  EXPECT_DOUBLE_EQ(*args.number("base"), 0.5);
}

TEST(Commands, EveryOptionIsInItsUsageAndNoCommandStandsTwice) {
  std::set<std::string> seen;
  for (const auto& command : commands()) {
    EXPECT_TRUE(seen.insert(command.words).second) << command.words;
    const std::string usage = command.usage;
    for (const auto* names :
         {&command.syntax.options, &command.syntax.repeated, &command.syntax.switches})
      for (const auto& name : *names)
        EXPECT_NE(usage.find("--" + name), std::string::npos)
            << command.words << " does not mention --" << name;
    EXPECT_LE(command.syntax.positional_min, command.syntax.positional_max) << command.words;
  }
}

}  // namespace
}  // namespace hone::cli
