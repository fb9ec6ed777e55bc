// Every route of the table x everybody who might knock: only what the row's policy allows.
#include <gtest/gtest.h>

#include <set>

#include "services/server/auth/digest.h"
#include "services/server/routes.h"
#include "storage/postgres/exec.h"
#include "storage/repo/invitations.h"
#include "storage/repo/jobs.h"
#include "storage/repo/projects.h"
#include "storage/repo/tokens.h"
#include "tests/integration/server/installation.h"

namespace hone::server::test {
namespace {

using httpd::Least;
using storage::Role;

constexpr const char* kNobodysId = "01890000-0000-7000-8000-000000000000";

std::string name_of(const Route& route) {
  return std::string(to_string(route.method)) + " " + std::string(route.path);
}

// The ids that stand in the path. `objects` are one team's own; what is not there gets an id that
// nobody has, which is enough to see who is let through to the handler.
std::string target_of(const Route& route, const std::map<std::string, std::string>& objects) {
  std::string path(route.path);
  const auto fill = [&path](const std::string& param, const std::string& value) {
    for (auto at = path.find(param); at != std::string::npos; at = path.find(param))
      path.replace(at, param.size(), value);
  };
  for (const auto& [prefix, id] : objects)
    if (path.starts_with("/api/v1/" + prefix + "/{id}")) fill("{id}", id);
  fill("{id}", kNobodysId);
  fill("{name}", "no-such-model");
  fill("{n}", "1");
  fill("{path...}", "hf/config.json");
  fill("{folder}", "hf");
  return path;
}

bool allows(Least least, Role role) {
  switch (least) {
    case Least::Anyone:
    case Least::SignedIn:
    case Least::Annotator:
      return true;
    case Least::Reviewer:
      return role >= Role::Reviewer;
    case Least::Engineer:
      return role >= Role::Engineer;
    case Least::Admin:
      return role >= Role::Admin;
    case Least::InstanceAdmin:
      return false;
  }
  return false;
}

class MatrixTest : public testing::Test {
 protected:
  MatrixTest() : server_(installation_.environment()) {
    team_ = installation_.make_team("matrix");
    other_team_ = installation_.make_team("elsewhere");
    admin_ = installation_.make_person(team_, Role::Admin, "admin@example.org");
    people_ = {
        {Role::Annotator,
         installation_.make_person(team_, Role::Annotator, "annotator@example.org")},
        {Role::Reviewer, installation_.make_person(team_, Role::Reviewer, "reviewer@example.org")},
        {Role::Engineer, installation_.make_person(team_, Role::Engineer, "engineer@example.org")},
        {Role::Admin, admin_}};
    stranger_ = installation_.make_person(other_team_, Role::Admin, "stranger@example.org");
  }

  /// A fresh login each time: some routes end the one they are called with.
  Headers as(const UserId& user) {
    const auto cookie = installation_.make_login(user);
    // The CSRF value comes from the server alone, so it is asked for like a page does.
    const auto session =
        server_.request("GET", "/api/v1/session", "", {{"Cookie", "__Host-hone=" + cookie}});
    return as_page(server_, cookie, session.json().value("csrf", ""));
  }
  int status(const Route& route, const std::string& target, Headers headers) {
    const bool body = httpd::is_unsafe(route.method) && route.method != Method::Delete;
    return server_
        .request(std::string(to_string(route.method)), target, body ? "{}" : "", std::move(headers))
        .status;
  }

  Installation installation_;
  ServerProcess server_;
  TeamId team_, other_team_;
  UserId admin_, stranger_;
  std::map<Role, UserId> people_;
};

TEST_F(MatrixTest, LetsNobodyInWithoutCredentials) {
  for (const auto& route : routes()) {
    const auto got = status(route, target_of(route, {}), {});
    if (route.policy.least() == Least::Anyone) {
      EXPECT_NE(got, 401) << name_of(route);
    } else {
      EXPECT_EQ(got, 401) << name_of(route);
    }
  }
}

TEST_F(MatrixTest, LetsEachRoleDoWhatItsPolicySaysAndNoMore) {
  for (const auto& route : routes())
    for (const auto& [role, user] : people_) {
      const auto got = status(route, target_of(route, {}), as(user));
      if (route.policy.least() != Least::Anyone) {
        EXPECT_NE(got, 401) << name_of(route) << " as " << storage::to_string(role);
      }
      if (allows(route.policy.least(), role)) {
        EXPECT_NE(got, 403) << name_of(route) << " as " << storage::to_string(role);
      } else {
        EXPECT_EQ(got, 403) << name_of(route) << " as " << storage::to_string(role);
      }
      EXPECT_LT(got, 500) << name_of(route) << " as " << storage::to_string(role);
    }
}

TEST_F(MatrixTest, RefusesTokensThatAreOverRevokedOrMadeUp) {
  const auto over = installation_.make_token(team_, admin_, Role::Admin);
  const auto revoked = installation_.make_token(team_, admin_, Role::Admin);
  installation_.owner().transact(team_, [&](storage::Tx& tx) {
    storage::exec(tx,
                  "UPDATE api_tokens SET expires_at = now() - interval '1 second', created_at = "
                  "now() - interval '1 day' WHERE token_sha256 = $1",
                  sha256_hex(over));
  });
  installation_.app().transact(team_, [&](storage::Tx& tx) {
    const auto found = storage::find_token(tx, sha256_hex(revoked));
    ASSERT_TRUE(found);
    storage::revoke_token(tx, found->token_id);
  });
  for (const auto& route : routes()) {
    if (route.policy.least() == Least::Anyone) continue;
    for (const auto& token :
         {over, revoked, std::string("hone_pat_000000000000000000000000000000000000")})
      EXPECT_EQ(status(route, target_of(route, {}), {{"Authorization", "Bearer " + token}}), 401)
          << name_of(route);
  }
}

TEST_F(MatrixTest, NeedsTheCsrfProofOnEveryRouteThatChangesSomething) {
  for (const auto& route : routes()) {
    if (route.policy.least() == Least::Anyone || !httpd::is_unsafe(route.method)) continue;
    auto headers = as(admin_);
    headers.erase("X-Hone-CSRF");
    EXPECT_EQ(status(route, target_of(route, {}), headers), 403) << name_of(route);
    headers = as(admin_);
    headers["Origin"] = "http://evil.example";
    EXPECT_EQ(status(route, target_of(route, {}), headers), 403) << name_of(route);
  }
}

TEST_F(MatrixTest, ShowsAnotherTeamsObjectsToNobody) {
  std::map<std::string, std::string> objects;
  installation_.app().transact(team_, [&](storage::Tx& tx) {
    storage::NewProject project;
    project.slug = "secret";
    project.name = "Secret";
    const auto id = storage::insert_project(tx, project).id;
    objects["projects"] = id.value;
    const auto job = storage::insert_job(tx, {.project = id,
                                              .kind = "judge",
                                              .spec = "{}",
                                              .spec_sha256 = std::string(64, '0'),
                                              .created_by = admin_});
    objects["jobs"] = job.value;
    storage::NewInvitation invitation;
    invitation.token_sha256 = std::string(64, '1');
    objects["invitations"] = storage::insert_invitation(tx, invitation).id;
  });
  objects["users"] = people_.at(Role::Annotator).value;
  const auto token = installation_.make_token(team_, admin_, Role::Admin);
  objects["tokens"] = installation_.app().transact(
      [&](storage::Tx& tx) { return storage::find_token(tx, sha256_hex(token))->token_id; });

  std::set<std::string> seen;
  for (const auto& route : routes()) {
    const auto target = target_of(route, objects);
    if (target.find('{') != std::string::npos || route.path.find("{id}") == std::string::npos)
      continue;
    const auto got = status(route, target, as(stranger_));
    // A body that is looked at first may be refused first; nothing else may differ from "no such
    // thing".
    EXPECT_TRUE(got == 404 || got == 422) << name_of(route) << " gave " << got;
    if (got == 404) seen.insert(name_of(route));
  }
  for (const char* route : {"GET /api/v1/projects/{id}", "GET /api/v1/jobs/{id}",
                            "POST /api/v1/jobs/{id}/cancel", "GET /api/v1/jobs/{id}/events",
                            "POST /api/v1/users/{id}/deactivate", "POST /api/v1/users/{id}/reset",
                            "DELETE /api/v1/invitations/{id}", "DELETE /api/v1/tokens/{id}"})
    EXPECT_TRUE(seen.contains(route)) << route;
  // And nothing happened: the objects are still there for their own team.
  EXPECT_EQ(status({Method::Get, "", httpd::kAdmin, nullptr, ""},
                   "/api/v1/projects/" + objects["projects"], as(admin_)),
            200);
  EXPECT_EQ(
      server_.request("GET", "/api/v1/jobs/" + objects["jobs"], "", as(admin_)).json()["state"],
      "queued");
  EXPECT_EQ(server_.request("GET", "/api/v1/invitations", "", as(admin_)).json()["data"].size(),
            1u);
}

TEST_F(MatrixTest, ActsInTheTeamThatIsNamedWhereThePersonBelongsToIt) {
  auto headers = as(admin_);
  headers["X-Hone-Team"] = team_.value;
  EXPECT_EQ(server_.request("GET", "/api/v1/session", "", headers).status, 200);
  headers["X-Hone-Team"] = other_team_.value;
  EXPECT_EQ(server_.request("GET", "/api/v1/session", "", headers).status, 404);
  headers["X-Hone-Team"] = "' OR 1=1";
  EXPECT_EQ(server_.request("GET", "/api/v1/session", "", headers).status, 404);
}

}  // namespace
}  // namespace hone::server::test
