// The route table as a whole: what is public, and that the description tells all of it.
#include "services/server/routes.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>

#include "services/server/handlers/openapi.h"

namespace hone::server {
namespace {

// A route without a policy does not compile, because there is no policy by default.
static_assert(!std::is_default_constructible_v<httpd::Policy>);
static_assert(!std::is_default_constructible_v<Route>);

TEST(Routes, ArePublicOnlyWhereNobodyCanBeSignedInYet) {
  std::set<std::string> open;
  for (const auto& route : routes())
    if (route.policy.least() == httpd::Least::Anyone)
      open.insert(std::string(to_string(route.method)) + " " + std::string(route.path));
  const std::set<std::string> want = {
      "GET /api/v1/health",   "GET /api/v1/ready",           "GET /openapi.json",
      "POST /api/v1/session", "POST /api/v1/password/reset", "POST /api/v1/invitations/accept"};
  EXPECT_EQ(open, want);
}

TEST(Routes, LieUnderTheApiAndSayWhatTheyDo) {
  for (const auto& route : routes()) {
    EXPECT_TRUE(route.path.starts_with("/api/v1/") || route.path == "/openapi.json") << route.path;
    EXPECT_FALSE(route.summary.empty()) << route.path;
    EXPECT_NE(route.handler, nullptr) << route.path;
  }
}

TEST(Routes, AreAllInTheDescriptionUnderDifferentNames) {
  const auto json = nlohmann::json::parse(openapi_json());
  std::size_t operations = 0;
  std::set<std::string> names;
  for (const auto& [path, methods] : json["paths"].items())
    for (const auto& [method, operation] : methods.items()) {
      ++operations;
      names.insert(operation["operationId"].get<std::string>());
      for (auto open = path.find('{'); open != std::string::npos; open = path.find('{', open + 1))
        EXPECT_TRUE(operation.contains("parameters")) << path;
    }
  EXPECT_EQ(operations, routes().size());
  EXPECT_EQ(names.size(), routes().size());
}

}  // namespace
}  // namespace hone::server
