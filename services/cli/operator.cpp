// Operator commands: what only somebody on the installation's machine may do.
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/cli/command.h"
#include "services/cli/console.h"
#include "services/cli/format.h"
#include "services/shared/clock.h"
#include "services/shared/token.h"
#include "storage/artifacts/sha256.h"
#include "storage/postgres/migrator.h"
#include "storage/repo/audit.h"
#include "storage/repo/invitations.h"
#include "storage/repo/tokens.h"
#include "storage/repo/users.h"

namespace hone::cli {

using nlohmann::json;

namespace {

constexpr auto kLinkLifetime = std::chrono::hours(24);

storage::AuditEntry by_console(const char* action, const char* kind, const std::string& object) {
  storage::AuditEntry entry;
  entry.actor_kind = "console";
  entry.action = action;
  entry.object_kind = kind;
  entry.object_id = object;
  return entry;
}

std::string new_token(const char* kind) {
  shared::SystemRandom random;
  return shared::new_token(kind, random);
}

/// A member of the team by address. Throws NotFound.
storage::Member find_member(storage::Tx& tx, const std::string& email, const std::string& team) {
  const auto user = storage::find_user_by_email(tx, email);
  if (user)
    for (auto& member : storage::list_members(tx))
      if (member.id == user->id) return member;
  throw Error(Code::NotFound,
              "nobody with the address " + email + " is in team " + team + " (hone users list)");
}

}  // namespace

int act_migrate(const Args& args) {
  const auto config = console_config();
  const auto applied = storage::migrate(config.database_owner_url);
  if (args.has("json")) {
    print_json(json{{"applied", applied}});
    return 0;
  }
  for (const auto& name : applied) fmt::print("   applied {}\n", name);
  if (applied.empty()) fmt::print("   the database is up to date\n");
  return 0;
}

int act_setup_link(const Args& args) {
  const auto config = console_config();
  auto pool = open_pool(config);
  if (args.has("if-needed")) {
    const auto count = [](storage::Tx& tx) { return storage::count_people(tx); };
    if (pool.transact(count) > 0) return 0;
  }
  const auto team = find_or_make_team(pool, args.value_or("team", "default"));
  const auto token = new_token("inv");
  const auto insert = [&](storage::Tx& tx) {
    // The instance's administrator is its first person; a later link makes a team's.
    const bool first = storage::count_people(tx) == 0;
    const auto made = storage::insert_invitation(tx, {.token_sha256 = storage::sha256_hex(token),
                                                      .role = storage::Role::Admin,
                                                      .email = {},
                                                      .instance_admin = first,
                                                      .created_by = {},
                                                      .lifetime = kLinkLifetime});
    storage::insert_audit(tx, by_console("invitation.create", "invitation", made.id));
    return made;
  };
  const auto made = pool.transact(team.id, insert);
  const auto link = public_url(config) + "/#/join/" + token;
  if (args.has("json"))
    print_json(json{{"link", link}, {"team", team.slug}, {"expires_at", made.expires_at}});
  else
    fmt::print("{}\n", link);
  return 0;
}

int act_users_list(const Args& args) {
  auto pool = open_pool(console_config());
  const auto team = find_team(pool, args.value_or("team", "default"));
  const auto list = [](storage::Tx& tx) { return storage::list_members(tx); };
  const auto members = pool.transact(team.id, list);
  json out = json::array();
  std::vector<std::vector<std::string>> rows = {{"address", "name", "role", "active", "last seen"}};
  for (const auto& m : members) {
    out.push_back({{"id", m.id.value},
                   {"email", m.email},
                   {"name", m.name},
                   {"role", storage::to_string(m.role)},
                   {"active", m.active}});
    rows.push_back({m.email, m.name, storage::to_string(m.role), m.active ? "yes" : "no",
                    m.last_seen_at.value_or("never")});
  }
  if (args.has("json"))
    print_json(out);
  else
    fmt::print("{}", table(rows));
  return 0;
}

int act_users_reset(const Args& args) {
  const auto config = console_config();
  auto pool = open_pool(config);
  const auto token = new_token("rst");
  const auto insert = [&](storage::Tx& tx) {
    const auto user = storage::find_user_by_email(tx, args.at(0));
    if (!user)
      throw Error(Code::NotFound, "nobody has the address " + args.at(0) + " (hone users list)");
    const auto made =
        storage::insert_reset(tx, storage::sha256_hex(token), user->id, kLinkLifetime);
    storage::insert_audit(tx, by_console("reset.create", "user", user->id.value));
    return made;
  };
  const auto made = pool.transact(insert);
  const auto link = public_url(config) + "/#/reset/" + token;
  if (args.has("json"))
    print_json(json{{"link", link}, {"expires_at", made.expires_at}});
  else
    fmt::print("{}\n", link);
  return 0;
}

int act_users_deactivate(const Args& args) {
  auto pool = open_pool(console_config());
  const auto team = find_team(pool, args.value_or("team", "default"));
  const auto end = [&](storage::Tx& tx) {
    const auto member = find_member(tx, args.at(0), team.slug);
    storage::set_member_active(tx, member.id, false);
    storage::insert_audit(tx, by_console("user.deactivate", "user", member.id.value));
  };
  pool.transact(team.id, end);
  fmt::print("{} has no access to team {} any more; what they judged stays\n", args.at(0),
             team.slug);
  return 0;
}

int act_teams_list(const Args& args) {
  auto pool = open_pool(console_config());
  const auto list = [](storage::Tx& tx) { return storage::list_teams(tx); };
  json out = json::array();
  std::vector<std::vector<std::string>> rows = {{"slug", "name", "id"}};
  for (const auto& team : pool.transact(list)) {
    out.push_back({{"id", team.id.value}, {"slug", team.slug}, {"name", team.name}});
    rows.push_back({team.slug, team.name, team.id.value});
  }
  if (args.has("json"))
    print_json(out);
  else
    fmt::print("{}", table(rows));
  return 0;
}

int act_teams_create(const Args& args) {
  auto pool = open_pool(console_config());
  const auto& slug = args.at(0);
  if (slug.empty() || slug.size() > 60 ||
      slug.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
    throw Error(Code::Invalid,
                "a team's slug is made of small letters, digits and '-', at most 60 of them");
  const auto make = [&](storage::Tx& tx) {
    const auto team = storage::insert_team(tx, slug, args.value_or("name", slug));
    storage::insert_audit(tx, by_console("team.create", "team", team.value));
    return team;
  };
  const auto team = pool.transact(make);
  if (args.has("json"))
    print_json(json{{"id", team.value}, {"slug", slug}});
  else
    fmt::print("team {} made; its first administrator: hone setup-link --team {}\n", slug, slug);
  return 0;
}

int act_tokens_create(const Args& args) {
  const auto name = args.need("name");
  const auto role = storage::parse_role(args.value_or("role", "engineer"));
  const auto days = args.integer("days").value_or(90);
  if (days < 1 || days > 365) throw Error(Code::Invalid, "--days is between 1 and 365");
  auto pool = open_pool(console_config());
  const auto team = find_or_make_team(pool, args.value_or("team", "default"));
  const auto token = new_token("pat");
  const auto insert = [&](storage::Tx& tx) {
    const auto owner = console_member(tx, role);
    const auto made = storage::insert_token(tx, {.name = name,
                                                 .role = role,
                                                 .token_sha256 = storage::sha256_hex(token),
                                                 .hint = token.substr(0, 17),
                                                 .expires_in_days = static_cast<int>(days),
                                                 .created_by = owner});
    storage::insert_audit(tx, by_console("token.create", "token", made.id));
    return made;
  };
  const auto made = pool.transact(team.id, insert);
  if (args.has("json"))
    print_json(json{{"id", made.id},
                    {"name", name},
                    {"role", storage::to_string(role)},
                    {"team", team.slug},
                    {"token", token},
                    {"expires_at", made.expires_at}});
  else
    fmt::print("{}\n", token);
  return 0;
}

}  // namespace hone::cli
