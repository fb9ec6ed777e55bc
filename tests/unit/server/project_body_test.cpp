// Bodies that make and change projects.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/server/json/projects.h"

namespace hone::server {
namespace {

using nlohmann::json;

std::string refused_at(const json& body) {
  try {
    parse_new_project(body);
    return "accepted";
  } catch (const Error& e) {
    return e.pointer();
  }
}

TEST(ParseNewProject, MakesASlugOfTheName) {
  EXPECT_EQ(parse_new_project({{"name", "House style, v2!"}}).slug, "house-style-v2");
  EXPECT_EQ(parse_new_project({{"name", "\u65e5\u672c"}}).slug, "project");
  EXPECT_EQ(parse_new_project({{"name", std::string(199, 'A')}}).slug.size(), 63u);
  EXPECT_EQ(parse_new_project({{"name", "X"}, {"slug", "mine"}}).slug, "mine");
}

TEST(ParseNewProject, TakesSettings) {
  const auto project =
      parse_new_project({{"name", "X"}, {"settings", {{"overlap", 3}, {"held_out_share", 0.1}}}});
  EXPECT_EQ(project.overlap, 3);
  EXPECT_EQ(project.held_out_share, 0.1);
  EXPECT_EQ(project.lease_minutes, 15);
}

TEST(ParseNewProject, RefusesByPointer) {
  EXPECT_EQ(refused_at({{"guideline", "x"}}), "/name");
  EXPECT_EQ(refused_at({{"name", ""}}), "/name");
  EXPECT_EQ(refused_at({{"name", "x"}, {"slug", "Has Spaces"}}), "/slug");
  EXPECT_EQ(refused_at({{"name", "x"}, {"slug", "-x"}}), "/slug");
  EXPECT_EQ(refused_at({{"name", "x"}, {"settings", {{"overlap", 0}}}}), "/settings/overlap");
  EXPECT_EQ(refused_at({{"name", "x"}, {"settings", {{"held_out_share", 1}}}}),
            "/settings/held_out_share");
  EXPECT_EQ(refused_at({{"name", "x"}, {"settings", {{"speed", 1}}}}), "/settings/speed");
  EXPECT_EQ(refused_at({{"name", "x"}, {"owner", "me"}}), "/owner");
}

TEST(ParseProjectPatch, LeavesAloneWhatIsNotNamed) {
  const auto patch = parse_project_patch({{"settings", {{"paused", true}}}});
  EXPECT_EQ(patch.paused, true);
  EXPECT_EQ(patch.name, std::nullopt);
  EXPECT_EQ(patch.overlap, std::nullopt);
}

}  // namespace
}  // namespace hone::server
