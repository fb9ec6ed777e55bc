#include "services/httpd/router.h"

#include <gtest/gtest.h>

namespace hone::httpd {
namespace {

using Kind = Router::Match::Kind;

Router router() {
  Router out;
  out.add(Method::Get, "/api/v1/runs", 0);
  out.add(Method::Post, "/api/v1/runs", 1);
  out.add(Method::Get, "/api/v1/runs/{id}", 2);
  out.add(Method::Get, "/api/v1/runs/latest", 3);
  out.add(Method::Get, "/api/v1/models/{name}/versions/{n}/files/{path...}", 4);
  return out;
}

TEST(Router, PrefersTheRowThatSpellsTheSegmentOut) {
  EXPECT_EQ(router().find(Method::Get, "/api/v1/runs/latest").row, 3u);
  EXPECT_EQ(router().find(Method::Get, "/api/v1/runs/abc").row, 2u);
}

TEST(Router, GivesTheTailWithItsSlashes) {
  const auto match =
      router().find(Method::Get, "/api/v1/models/m/versions/2/files/hf/model.safetensors");
  ASSERT_EQ(match.kind, Kind::Found);
  const std::vector<std::pair<std::string, std::string>> want = {
      {"name", "m"}, {"n", "2"}, {"path", "hf/model.safetensors"}};
  EXPECT_EQ(match.params, want);
  EXPECT_EQ(router().find(Method::Get, "/api/v1/models/m/versions/2/files/").kind,
            Kind::NoSuchPath);
}

TEST(Router, TellsAWrongMethodFromAWrongPath) {
  const auto match = router().find(Method::Delete, "/api/v1/runs");
  EXPECT_EQ(match.kind, Kind::NoSuchMethod);
  EXPECT_EQ(match.allow, "GET, POST");
  EXPECT_EQ(router().find(Method::Get, "/api/v1/run").kind, Kind::NoSuchPath);
  EXPECT_EQ(router().find(Method::Get, "/api/v1/runs/").kind, Kind::NoSuchPath);
  EXPECT_EQ(router().find(Method::Get, "/api/v1/runs/a/b").kind, Kind::NoSuchPath);
}

TEST(Router, AnswersHeadWithTheRowOfGet) {
  EXPECT_EQ(router().find(Method::Head, "/api/v1/runs").row, 0u);
}

}  // namespace
}  // namespace hone::httpd
