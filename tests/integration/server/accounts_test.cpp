// Accounts through the door that people use: the real server on a real PostgreSQL.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "services/server/auth/accounts.h"
#include "services/server/auth/digest.h"
#include "storage/repo/users.h"
#include "tests/integration/server/installation.h"

namespace hone::server::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kPassword = "violet kettle harbour";

/// A login as a page keeps it.
struct Page {
  std::string cookie, csrf;
};

class AccountsTest : public testing::Test {
 protected:
  AccountsTest() : server_(installation_.environment()) {}

  Reply post(const std::string& target, const json& body, Headers headers = {}) const {
    return server_.request("POST", "/api/v1" + target, body.dump(), std::move(headers));
  }
  Reply get(const std::string& target, Headers headers = {}) const {
    return server_.request("GET", "/api/v1" + target, "", std::move(headers));
  }
  Headers as(const Page& page) const { return as_page(server_, page.cookie, page.csrf); }

  Page first_admin() {
    const auto reply = post("/invitations/accept", {{"token", server_.setup_token()},
                                                    {"name", "Ada"},
                                                    {"email", "ada@example.org"},
                                                    {"password", kPassword}});
    EXPECT_EQ(reply.status, 201) << reply.body;
    return {reply.cookie(), reply.json().value("csrf", "")};
  }
  /// An invited person with the given role.
  Page join(const Page& admin, const std::string& role, const std::string& email) {
    const auto invitation = post("/invitations", {{"email", email}, {"role", role}}, as(admin));
    EXPECT_EQ(invitation.status, 201) << invitation.body;
    const auto link = invitation.json().value("link", "");
    const auto reply = post(
        "/invitations/accept",
        {{"token", link.substr(link.rfind('/') + 1)}, {"name", role}, {"password", kPassword}});
    EXPECT_EQ(reply.status, 201) << reply.body;
    return {reply.cookie(), reply.json().value("csrf", "")};
  }
  Page login(const std::string& email, const std::string& password) {
    const auto reply = post("/session", {{"email", email}, {"password", password}});
    EXPECT_EQ(reply.status, 200) << reply.body;
    return {reply.cookie(), reply.json().value("csrf", "")};
  }
  std::string id_of(const Page& admin, const std::string& email) {
    const auto users = get("/users", as(admin)).json();
    for (const auto& user : users["data"])
      if (user["email"] == email) return user["id"];
    ADD_FAILURE() << email << " is not in " << users.dump();
    return "";
  }

  Installation installation_;
  ServerProcess server_;
};

TEST_F(AccountsTest, MakesTheFirstAdministratorByItsPrintedLinkOnce) {
  ASSERT_THAT(server_.setup_token(), testing::StartsWith("hone_inv_"));
  const auto token = server_.setup_token();
  const auto admin = first_admin();
  const auto session = get("/session", as(admin)).json();
  EXPECT_EQ(session["user"]["email"], "ada@example.org");
  EXPECT_EQ(session["user"]["instance_admin"], true);
  EXPECT_EQ(session["team"]["slug"], "default");
  EXPECT_EQ(session["team"]["role"], "admin");
  EXPECT_EQ(session["csrf"], admin.csrf);

  const auto again = post(
      "/invitations/accept",
      {{"token", token}, {"name", "Eve"}, {"email", "eve@example.org"}, {"password", kPassword}});
  EXPECT_EQ(again.status, 404);
  // A server started later prints no link any more.
  const ServerProcess second(installation_.environment());
  EXPECT_EQ(second.setup_token(), "");
}

TEST_F(AccountsTest, OneLinkOfManyMakesTheFirstAdministrator) {
  const ServerProcess second(installation_.environment());
  ASSERT_NE(second.setup_token(), "");
  first_admin();
  const auto reply = second.request("POST", "/api/v1/invitations/accept",
                                    json{{"token", second.setup_token()},
                                         {"name", "Eve"},
                                         {"email", "eve@example.org"},
                                         {"password", kPassword}}
                                        .dump());
  EXPECT_EQ(reply.status, 404);
}

TEST_F(AccountsTest, TheConsolesAccountIsNobody) {
  // As `hone tokens create --role admin` makes it, before anybody has an account.
  const auto make = [](storage::Tx& tx) {
    const auto user = storage::insert_user(
        tx,
        {.email = "console@localhost", .name = "Console", .password_hash = "!", .console = true});
    const auto teams = storage::list_teams(tx);
    tx.set_team(teams.front().id);
    storage::insert_member(tx, user, storage::Role::Admin);
    return user;
  };
  const auto console = installation_.app().transact(make);
  // The first administrator's link still makes one.
  const auto admin = first_admin();
  EXPECT_EQ(get("/session", as(admin)).json()["user"]["instance_admin"], true);
  // It is not the admin whom a team keeps, and no password opens it.
  const auto id = id_of(admin, "ada@example.org");
  EXPECT_EQ(post("/users/" + id + "/deactivate", json::object(), as(admin)).status, 409);
  EXPECT_EQ(post("/users/" + console.value + "/reset", json::object(), as(admin)).status, 409);
}

TEST_F(AccountsTest, SetsACookieThatOnlyThisSiteCanSendAndNoScriptCanRead) {
  const auto reply = post("/invitations/accept", {{"token", server_.setup_token()},
                                                  {"name", "Ada"},
                                                  {"email", "ada@example.org"},
                                                  {"password", kPassword}});
  const auto cookie = reply.headers.at("set-cookie");
  EXPECT_THAT(cookie, testing::StartsWith("__Host-hone="));
  for (const char* flag : {"; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"})
    EXPECT_THAT(cookie, HasSubstr(flag));
  EXPECT_THAT(cookie, Not(HasSubstr("Domain")));
  EXPECT_EQ(reply.cookie().size(), 43u);  // 256 bits in base64url
  // Only its hash is stored.
  const auto stored = installation_.app().transact([&](storage::Tx& tx) {
    return storage::find_session(tx, sha256_hex(reply.cookie())).has_value();
  });
  EXPECT_TRUE(stored);
}

TEST_F(AccountsTest, LogsInAndOut) {
  first_admin();
  const auto page = login(" ADA@example.org ", kPassword);
  EXPECT_EQ(get("/session", as(page)).status, 200);
  EXPECT_EQ(server_.request("DELETE", "/api/v1/session", "", as(page)).status, 204);
  EXPECT_EQ(get("/session", as(page)).status, 401);
}

TEST_F(AccountsTest, GivesANewIdAtEachLoginAndEndsAllAtOnce) {
  const auto first = first_admin();
  const auto second = login("ada@example.org", kPassword);
  EXPECT_NE(first.cookie, second.cookie);
  EXPECT_EQ(server_.request("DELETE", "/api/v1/sessions", "", as(second)).status, 204);
  EXPECT_EQ(get("/session", as(first)).status, 401);
  EXPECT_EQ(get("/session", as(second)).status, 401);
}

TEST_F(AccountsTest, SaysTheSameOfAWrongPasswordAndAnUnknownPerson) {
  first_admin();
  const auto wrong = post("/session", {{"email", "ada@example.org"}, {"password", "not this one"}});
  const auto unknown =
      post("/session", {{"email", "nobody@example.org"}, {"password", "not this one"}});
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(unknown.status, 401);
  EXPECT_EQ(wrong.json()["detail"], unknown.json()["detail"]);
  EXPECT_FALSE(wrong.headers.contains("set-cookie"));
}

TEST_F(AccountsTest, TakesFiveGuessesAndNoMoreEvenAtOnce) {
  first_admin();
  std::atomic<int> evaluated{0}, refused{0};
  std::vector<std::thread> guessers;
  for (int i = 0; i < 12; ++i)
    guessers.emplace_back([&, i] {
      const auto reply = post("/session", {{"email", "ada@example.org"},
                                           {"password", "guess number " + std::to_string(i)}});
      (reply.status == 401 ? evaluated : refused) += 1;
      EXPECT_TRUE(reply.status == 401 || reply.status == 429) << reply.status;
    });
  for (auto& guesser : guessers) guesser.join();
  EXPECT_LE(evaluated, 5);
  EXPECT_EQ(evaluated + refused, 12);
  // Of guesses at once fewer than five may have been taken; one after another the rest are.
  while (evaluated < 10 &&
         post("/session", {{"email", "ada@example.org"}, {"password", "one more guess"}}).status ==
             401)
    ++evaluated;
  EXPECT_EQ(evaluated, 5);
  // The right one does not help now either; somebody else is not concerned.
  const auto right = post("/session", {{"email", "ada@example.org"}, {"password", kPassword}});
  EXPECT_EQ(right.status, 429);
  EXPECT_TRUE(right.headers.contains("retry-after"));
  EXPECT_EQ(post("/session", {{"email", "bob@example.org"}, {"password", "another guess"}}).status,
            401);
}

TEST_F(AccountsTest, AsksForProofThatARequestByCookieIsThePages) {
  const auto admin = first_admin();
  const auto origin = "http://127.0.0.1:" + std::to_string(server_.port());
  const auto invite = [&](Headers headers) {
    headers["Cookie"] = "__Host-hone=" + admin.cookie;
    return post("/invitations", {{"email", "x@example.org"}, {"role", "annotator"}}, headers)
        .status;
  };
  EXPECT_EQ(invite({{"Origin", origin}}), 403) << "no CSRF value";
  EXPECT_EQ(invite({{"Origin", origin}, {"X-Hone-CSRF", std::string(64, '0')}}), 403);
  EXPECT_EQ(invite({{"X-Hone-CSRF", admin.csrf}}), 403) << "no Origin";
  EXPECT_EQ(invite({{"X-Hone-CSRF", admin.csrf}, {"Origin", "http://evil.example"}}), 403);
  EXPECT_EQ(invite({{"X-Hone-CSRF", admin.csrf}, {"Origin", "null"}}), 403);
  EXPECT_EQ(
      invite({{"X-Hone-CSRF", admin.csrf}, {"Origin", origin}, {"Sec-Fetch-Site", "cross-site"}}),
      403);
  EXPECT_EQ(
      invite({{"X-Hone-CSRF", admin.csrf}, {"Origin", origin}, {"Sec-Fetch-Site", "same-site"}}),
      403);
  EXPECT_EQ(
      invite({{"X-Hone-CSRF", admin.csrf}, {"Origin", origin}, {"Content-Type", "text/plain"}}),
      415);
  EXPECT_EQ(
      invite({{"X-Hone-CSRF", admin.csrf}, {"Origin", origin}, {"Sec-Fetch-Site", "same-origin"}}),
      201);
  // Signing in itself has no login to prove; a foreign page is refused all the same.
  EXPECT_EQ(post("/session", {{"email", "ada@example.org"}, {"password", kPassword}},
                 {{"Origin", "http://evil.example"}})
                .status,
            403);
}

TEST_F(AccountsTest, ChangesAPasswordAndEndsTheOtherLogins) {
  const auto old_login = first_admin();
  const auto page = login("ada@example.org", kPassword);
  const auto put = [&](const json& body) {
    return server_.request("PUT", "/api/v1/password", body.dump(), as(page));
  };
  EXPECT_EQ(put({{"current", "wrong"}, {"password", "tuesday is for pancakes"}}).status, 422);
  EXPECT_EQ(
      put({{"current", kPassword}, {"password", "password123"}}).json()["errors"][0]["pointer"],
      "/password");
  const auto changed = put({{"current", kPassword}, {"password", "tuesday is for pancakes"}});
  ASSERT_EQ(changed.status, 200);
  EXPECT_EQ(get("/session", as(old_login)).status, 401);
  EXPECT_EQ(get("/session", as(page)).status, 401);
  EXPECT_EQ(get("/session", as({changed.cookie(), changed.json()["csrf"]})).status, 200);
  EXPECT_EQ(post("/session", {{"email", "ada@example.org"}, {"password", kPassword}}).status, 401);
  login("ada@example.org", "tuesday is for pancakes");
}

TEST_F(AccountsTest, InvitesOncePerLinkAndFixesTheAddressItNames) {
  const auto admin = first_admin();
  const auto made =
      post("/invitations", {{"email", "Bob@Example.org"}, {"role", "engineer"}}, as(admin)).json();
  const std::string link = made["link"];
  EXPECT_THAT(link, HasSubstr("/#/join/hone_inv_"));
  const auto listed = get("/invitations", as(admin));
  EXPECT_EQ(listed.json()["data"].size(), 1u);
  EXPECT_THAT(listed.body, Not(HasSubstr("hone_inv_"))) << "a link is shown once";

  const auto token = link.substr(link.rfind('/') + 1);
  const auto joined = post(
      "/invitations/accept",
      {{"token", token}, {"name", "Bob"}, {"email", "other@example.org"}, {"password", kPassword}});
  ASSERT_EQ(joined.status, 201);
  EXPECT_EQ(joined.json()["user"]["email"], "bob@example.org");
  EXPECT_EQ(joined.json()["team"]["role"], "engineer");
  EXPECT_EQ(
      post("/invitations/accept", {{"token", token}, {"name", "Eve"}, {"password", kPassword}})
          .status,
      404);
  EXPECT_EQ(get("/invitations", as(admin)).json()["data"].size(), 0u);
  // Somebody who has an account cannot get a second one.
  const std::string second =
      post("/invitations", {{"email", "bob@example.org"}, {"role", "annotator"}}, as(admin))
          .json()["link"];
  EXPECT_EQ(post("/invitations/accept", {{"token", second.substr(second.rfind('/') + 1)},
                                         {"name", "Bob"},
                                         {"password", kPassword}})
                .status,
            409);
}

TEST_F(AccountsTest, TakesAnInvitationBack) {
  const auto admin = first_admin();
  const auto made = post("/invitations", {{"role", "annotator"}}, as(admin)).json();
  const std::string link = made["link"];
  EXPECT_EQ(
      server_
          .request("DELETE", "/api/v1/invitations/" + made["id"].get<std::string>(), "", as(admin))
          .status,
      204);
  EXPECT_EQ(post("/invitations/accept", {{"token", link.substr(link.rfind('/') + 1)},
                                         {"name", "Eve"},
                                         {"email", "eve@example.org"},
                                         {"password", kPassword}})
                .status,
            404);
}

TEST_F(AccountsTest, ResetsAPasswordByAOneTimeLink) {
  const auto admin = first_admin();
  const auto bob = join(admin, "annotator", "bob@example.org");
  const auto made =
      post("/users/" + id_of(admin, "bob@example.org") + "/reset", json::object(), as(admin));
  ASSERT_EQ(made.status, 201);
  const std::string link = made.json()["link"];
  const auto token = link.substr(link.rfind('/') + 1);
  EXPECT_THAT(token, testing::StartsWith("hone_rst_"));
  EXPECT_EQ(post("/password/reset", {{"token", token}, {"password", "password1"}}).status, 422)
      << "a bad choice does not spend the link";
  EXPECT_EQ(
      post("/password/reset", {{"token", token}, {"password", "tuesday is for pancakes"}}).status,
      200);
  EXPECT_EQ(get("/session", as(bob)).status, 401);
  EXPECT_EQ(
      post("/password/reset", {{"token", token}, {"password", "tuesday is for pancakes"}}).status,
      404);
  login("bob@example.org", "tuesday is for pancakes");
}

TEST_F(AccountsTest, ShutsAPersonOutAndLetsThemInAgainWithoutDeletingThem) {
  const auto admin = first_admin();
  const auto bob = join(admin, "engineer", "bob@example.org");
  const auto token = post("/tokens", {{"name", "ci"}, {"role", "engineer"}}, as(bob))
                         .json()["token"]
                         .get<std::string>();
  const Headers bearer = {{"Authorization", "Bearer " + token}};
  EXPECT_EQ(get("/session", bearer).status, 200);
  const auto id = id_of(admin, "bob@example.org");
  EXPECT_EQ(post("/users/" + id + "/deactivate", json::object(), as(admin)).json()["active"],
            false);
  EXPECT_EQ(get("/session", as(bob)).status, 401);
  EXPECT_EQ(get("/session", bearer).status, 401);
  EXPECT_EQ(id_of(admin, "bob@example.org"), id);
  EXPECT_EQ(post("/users/" + id + "/activate", json::object(), as(admin)).json()["active"], true);
  const auto back = login("bob@example.org", kPassword);
  EXPECT_EQ(get("/session", as(back)).json()["team"]["role"], "engineer");
  EXPECT_EQ(get("/session", bearer).status, 401) << "a revoked token stays revoked";
}

TEST_F(AccountsTest, ChangesARoleAndEndsTheLoginsThatHadTheOldOne) {
  const auto admin = first_admin();
  const auto bob = join(admin, "engineer", "bob@example.org");
  const auto id = id_of(admin, "bob@example.org");
  const auto changed = server_.request("PATCH", "/api/v1/users/" + id,
                                       json{{"role", "annotator"}}.dump(), as(admin));
  EXPECT_EQ(changed.json()["role"], "annotator");
  EXPECT_EQ(get("/session", as(bob)).status, 401);
  EXPECT_EQ(get("/tokens", as(login("bob@example.org", kPassword))).status, 403);
}

TEST_F(AccountsTest, KeepsATeamFromLosingItsLastAdmin) {
  const auto admin = first_admin();
  const auto id = id_of(admin, "ada@example.org");
  EXPECT_EQ(post("/users/" + id + "/deactivate", json::object(), as(admin)).status, 409);
  EXPECT_EQ(
      server_.request("PATCH", "/api/v1/users/" + id, json{{"role", "engineer"}}.dump(), as(admin))
          .status,
      409);
}

TEST_F(AccountsTest, ShowsATokenOnceAndStoresItsHash) {
  const auto admin = first_admin();
  const auto made =
      post("/tokens", {{"name", "ci"}, {"role", "reviewer"}, {"expires_in_days", 7}}, as(admin));
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string token = made.json()["token"];
  EXPECT_THAT(token, testing::MatchesRegex("hone_pat_[0-9A-Za-z]{36}"));
  EXPECT_THAT(get("/tokens", as(admin)).body, Not(HasSubstr(token)));
  const Headers bearer = {{"Authorization", "Bearer " + token}};
  const auto session = get("/session", bearer).json();
  EXPECT_EQ(session["team"]["slug"], "default");
  EXPECT_EQ(session["csrf"], nullptr);
  // A token is no more than it was made for, and makes no other.
  EXPECT_EQ(get("/users", bearer).status, 403);
  EXPECT_EQ(post("/tokens", {{"name", "more"}, {"role", "annotator"}}, bearer).status, 403);
  // A cookie beside it does not count.
  Headers both = bearer;
  both["Cookie"] = "__Host-hone=" + admin.cookie;
  EXPECT_EQ(get("/users", both).status, 403);
  // A typing error is known without the database.
  auto typo = token;
  typo[20] = typo[20] == 'a' ? 'b' : 'a';
  EXPECT_EQ(get("/session", {{"Authorization", "Bearer " + typo}}).status, 401);
  const std::string id = made.json()["id"];
  EXPECT_EQ(server_.request("DELETE", "/api/v1/tokens/" + id, "", as(admin)).status, 204);
  EXPECT_EQ(get("/session", bearer).status, 401);
}

TEST_F(AccountsTest, GivesNobodyATokenAboveTheirOwnRole) {
  const auto admin = first_admin();
  const auto bob = join(admin, "engineer", "bob@example.org");
  EXPECT_EQ(post("/tokens", {{"name", "x"}, {"role", "admin"}}, as(bob)).status, 403);
  EXPECT_EQ(
      post("/tokens", {{"name", "x"}, {"role", "engineer"}, {"expires_in_days", 366}}, as(bob))
          .status,
      422);
}

TEST_F(AccountsTest, WritesNoSecretIntoItsLog) {
  const auto admin = first_admin();
  const auto token = post("/tokens", {{"name", "ci"}, {"role", "reviewer"}}, as(admin))
                         .json()["token"]
                         .get<std::string>();
  post("/session", {{"email", "ada@example.org"}, {"password", "a wrong secret guess"}});
  get("/session", {{"Authorization", "Bearer " + token}});
  const auto log = server_.log();
  for (const auto& secret : {std::string(kPassword), std::string("a wrong secret guess"),
                             admin.cookie, admin.csrf, token, server_.setup_token()})
    EXPECT_THAT(log, Not(HasSubstr(secret)));
  EXPECT_THAT(log, HasSubstr("POST /api/v1/session"));
}

}  // namespace
}  // namespace hone::server::test
