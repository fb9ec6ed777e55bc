// Accounts: every way in, and every way out.
#include "storage/repo/audit.h"
#include "storage/repo/invitations.h"
#include "storage/repo/tokens.h"
#include "tests/integration/storage/world.h"

namespace hone::storage {
namespace {

using namespace std::chrono_literals;

std::string hash_of(const std::string& secret) { return sha256_hex(secret); }

TEST(Users, AreOnePerAddressWhateverItsCase) {
  World world;
  world.app.transact([&](Tx& tx) {
    EXPECT_EQ(find_user_by_email(tx, "A@Example.ORG")->id, world.user);
    EXPECT_FALSE(find_user_by_email(tx, "b@example.org"));
  });
  EXPECT_THROW(
      world.app.transact([](Tx& tx) { insert_user(tx, {.email = "A@EXAMPLE.org", .name = "B"}); }),
      Error);
}

TEST(Sessions, EndWithTheirTimeTheirPasswordAndTheirPerson) {
  World world;
  const auto open = [&](const std::string& secret, std::chrono::seconds idle = 1h,
                        std::chrono::seconds absolute = 2h) {
    world.app.transact([&](Tx& tx) {
      insert_session(tx, {hash_of(secret), world.user, idle, absolute});
    });
  };
  const auto alive = [&](const std::string& secret) {
    return world.app.transact(
        [&](Tx& tx) { return find_session(tx, hash_of(secret)).has_value(); });
  };
  open("a");
  open("b");
  EXPECT_TRUE(alive("a"));
  EXPECT_FALSE(alive("no such"));
  world.app.transact([](Tx& tx) { delete_session(tx, hash_of("a")); });
  EXPECT_FALSE(alive("a"));
  EXPECT_TRUE(alive("b"));
  open("c");
  world.app.transact([&](Tx& tx) { delete_sessions_of(tx, world.user, hash_of("c")); });
  EXPECT_FALSE(alive("b"));
  EXPECT_TRUE(alive("c"));
  world.app.transact([&](Tx& tx) { set_password_hash(tx, world.user, "new"); });
  EXPECT_FALSE(alive("c"));

  open("idle");
  world.value("UPDATE sessions SET last_seen_at = now() - interval '61 minutes'");
  EXPECT_FALSE(alive("idle"));
  open("old");
  world.value("UPDATE sessions SET expires_at = now()");
  EXPECT_FALSE(alive("old"));
  open("off");
  world.value("UPDATE users SET active = false");
  EXPECT_FALSE(alive("off"));
}

TEST(Resets, WorkOnceAndOnlyTheNewestOfAPerson) {
  World world;
  world.app.transact([&](Tx& tx) {
    insert_reset(tx, hash_of("first"), world.user);
    insert_reset(tx, hash_of("second"), world.user);
  });
  const auto use = [&](const std::string& secret) {
    return world.app.transact([&](Tx& tx) { return use_reset(tx, hash_of(secret)); });
  };
  EXPECT_FALSE(use("first"));
  EXPECT_EQ(use("second"), world.user);
  EXPECT_FALSE(use("second"));
}

TEST(Invitations, TellTheirTeamOnceAndNotWhenRevokedOrOver) {
  World world;
  const auto invite = [&](const std::string& secret, std::chrono::seconds lifetime = 1h) {
    return world.app.transact(world.team, [&](Tx& tx) {
      return insert_invitation(
          tx, {.token_sha256 = hash_of(secret), .role = Role::Reviewer, .lifetime = lifetime});
    });
  };
  const auto find = [&](const std::string& secret) {
    return world.app.transact([&](Tx& tx) { return find_invitation(tx, hash_of(secret)); });
  };
  const auto good = invite("good");
  const auto found = find("good");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->team, world.team);
  EXPECT_EQ(found->role, Role::Reviewer);
  world.app.transact([&](Tx& tx) {
    tx.set_team(found->team);
    EXPECT_TRUE(use_invitation(tx, good.id, world.user));
    EXPECT_FALSE(use_invitation(tx, good.id, world.user));
  });
  EXPECT_FALSE(find("good"));
  const auto revoked = invite("revoked");
  world.app.transact(world.team, [&](Tx& tx) { delete_invitation(tx, revoked.id); });
  EXPECT_FALSE(find("revoked"));
  invite("over", 0s);
  EXPECT_FALSE(find("over"));
}

TEST(Tokens, SpeakForTheirTeamWithTheLesserOfTwoRolesUntilRevoked) {
  World world;
  const auto token = world.app.transact(world.team, [&](Tx& tx) {
    return insert_token(tx, {.name = "ci",
                             .role = Role::Engineer,
                             .token_sha256 = hash_of("t"),
                             .hint = "hone_pat",
                             .created_by = world.user});
  });
  const auto find = [&] {
    return world.app.transact([](Tx& tx) { return find_token(tx, hash_of("t")); });
  };
  ASSERT_TRUE(find());
  EXPECT_EQ(find()->team.id, world.team);
  EXPECT_EQ(find()->role, Role::Engineer) << "its maker is an admin, the key is not";

  world.value("UPDATE memberships SET role = 'annotator'");
  EXPECT_EQ(find()->role, Role::Annotator) << "a key does not outgrow its maker";
  world.value("UPDATE memberships SET active = false");
  EXPECT_FALSE(find());
  world.value("UPDATE memberships SET active = true");
  world.app.transact(world.team, [&](Tx& tx) { revoke_token(tx, token.id); });
  EXPECT_FALSE(find());
  world.app.transact(world.team, [&](Tx& tx) { EXPECT_TRUE(list_tokens(tx).empty()); });
}

TEST(Members, AlwaysIncludeAnActiveAdmin) {
  World world;
  const auto demote = [&] {
    world.app.transact(world.team,
                       [&](Tx& tx) { set_member_role(tx, world.user, Role::Engineer); });
  };
  EXPECT_THROW(demote(), Error);
  EXPECT_THROW(
      world.app.transact(world.team, [&](Tx& tx) { set_member_active(tx, world.user, false); }),
      Error);
  const auto other = world.app.transact(world.team, [](Tx& tx) {
    const auto person =
        insert_user(tx, {.email = "b@example.org", .name = "Ben", .password_hash = "x"});
    insert_member(tx, person, Role::Admin);
    return person;
  });
  EXPECT_NO_THROW(demote());
  world.app.transact(world.team, [&](Tx& tx) {
    EXPECT_EQ(find_role(tx, world.user), Role::Engineer);
    EXPECT_EQ(list_members(tx).size(), 2U);
    set_member_active(tx, world.user, false);
    EXPECT_FALSE(find_role(tx, world.user));
    EXPECT_FALSE(get_member(tx, world.user).active);
    EXPECT_EQ(list_teams_of(tx, world.user).size(), 0U);
    EXPECT_EQ(list_teams_of(tx, other).at(0).team.slug, "first");
  });
}

TEST(Teams, HaveOneSlug) {
  World world;
  EXPECT_THROW(world.app.transact([](Tx& tx) { insert_team(tx, "first", "Again"); }), Error);
  EXPECT_EQ(world.app.transact([](Tx& tx) { return list_teams(tx).size(); }), 1U);
}

TEST(Audit, KeepsTheTeamsRowsForTheTeamAndTheInstancesForNoTeam) {
  World world;
  world.app.transact(world.team, [&](Tx& tx) {
    insert_audit(tx,
                 {.actor = world.user, .action = "project.create", .detail = R"({"slug":"p"})"});
  });
  world.app.transact(
      [](Tx& tx) { insert_audit(tx, {.action = "session.refuse", .address = "127.0.0.1"}); });
  world.app.transact(world.team, [&](Tx& tx) {
    const auto rows = list_audit(tx, {});
    ASSERT_EQ(rows.data.size(), 1U);
    EXPECT_EQ(rows.data[0].entry.action, "project.create");
    EXPECT_EQ(rows.data[0].entry.actor, world.user);
  });
  EXPECT_EQ(world.count("SELECT count(*) FROM audit"), 2);
}

TEST(Logins, ThatFailAreCountedByAccountAndAddress) {
  World world;
  world.app.transact([](Tx& tx) {
    for (int i = 0; i < 3; ++i) record_login_failure(tx, "A@example.org", "10.0.0.1");
    record_login_failure(tx, "a@example.org", "10.0.0.2");
    const auto failures = count_login_failures(tx, "a@example.org", "10.0.0.1");
    EXPECT_EQ(failures.account_and_address, 3);
    EXPECT_EQ(failures.account, 4);
  });
}

}  // namespace
}  // namespace hone::storage
