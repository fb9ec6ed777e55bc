#include "storage/postgres/migrator.h"

#include <fmt/format.h>

#include <map>
#include <pqxx/pqxx>

#include "feedback/base/error.h"
#include "storage/artifacts/sha256.h"
#include "storage/postgres/conninfo.h"
#include "storage/postgres/errors.h"

namespace hone::storage {
namespace {

using Applied = std::map<std::string, std::string, std::less<>>;  // name -> sha256 of its text

// Any number does, as long as all migrators take the same one.
constexpr long long kMigratorsLock = 0x686f6e65;

Applied applied_ones(pqxx::transaction_base& tx) {
  Applied applied;
  const auto known = tx.exec("SELECT to_regclass('public.schema_migrations') IS NOT NULL");
  if (!known[0][0].as<bool>()) return applied;
  for (const auto& row : tx.exec("SELECT name, sha256 FROM schema_migrations"))
    applied.emplace(row[0].c_str(), row[1].c_str());
  return applied;
}

void check_history(const Applied& applied, std::span<const Migration> migrations) {
  Applied ours;
  for (const auto& migration : migrations)
    ours.emplace(std::string(migration.name), sha256_hex(migration.sql));
  for (const auto& [name, sha256] : applied) {
    const auto mine = ours.find(name);
    if (mine == ours.end())
      throw Error(Code::Conflict,
                  fmt::format("the database has {}, which this program does not know: "
                              "it was migrated by a newer one",
                              name));
    if (mine->second != sha256)
      throw Error(Code::Conflict, fmt::format("{} was edited after it had been applied", name));
  }
}

std::vector<Migration> missing(const Applied& applied, std::span<const Migration> migrations) {
  std::vector<Migration> left;
  for (const auto& migration : migrations)
    if (!applied.contains(migration.name)) left.push_back(migration);
  return left;
}

void apply(pqxx::connection& connection, const Migration& migration, bool first) {
  pqxx::work work(connection);
  if (!first) work.exec("SET LOCAL ROLE hone_owner");
  work.exec(std::string(migration.sql));
  if (first) {
    work.exec("SET LOCAL ROLE hone_owner");
    work.exec(
        "CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, sha256 text NOT "
        "NULL, "
        "applied_at timestamptz NOT NULL DEFAULT now())");
    work.exec("GRANT SELECT ON schema_migrations TO hone_app, hone_worker");
  }
  work.exec(fmt::format("INSERT INTO schema_migrations (name, sha256) VALUES ({}, {})",
                        work.quote(std::string(migration.name)),
                        work.quote(sha256_hex(migration.sql))));
  work.commit();
}

}  // namespace

std::vector<std::string> migrate(const std::string& owner_conninfo,
                                 std::span<const Migration> migrations) {
  try {
    pqxx::connection connection(
        bounded_conninfo(owner_conninfo, std::chrono::seconds(5), std::chrono::minutes(10)));
    Applied applied;
    {
      // Of the session, so that it spans the transactions; gone with the connection.
      pqxx::work work(connection);
      work.exec(fmt::format("SELECT pg_advisory_lock({})", kMigratorsLock));
      applied = applied_ones(work);
      work.commit();
    }
    check_history(applied, migrations);
    std::vector<std::string> now;
    for (const auto& migration : missing(applied, migrations)) {
      apply(connection, migration, migration.name == migrations.front().name);
      now.emplace_back(migration.name);
    }
    return now;
  } catch (const Error&) {
    throw;
  } catch (...) {
    rethrow_translated();
  }
}

std::vector<std::string> pending_migrations(const std::string& conninfo,
                                            std::span<const Migration> migrations) {
  try {
    pqxx::connection connection(
        bounded_conninfo(conninfo, std::chrono::seconds(5), std::chrono::seconds(5)));
    pqxx::work work(connection);
    const auto applied = applied_ones(work);
    check_history(applied, migrations);
    std::vector<std::string> names;
    for (const auto& migration : missing(applied, migrations)) names.emplace_back(migration.name);
    return names;
  } catch (const Error&) {
    throw;
  } catch (...) {
    rethrow_translated();
  }
}

}  // namespace hone::storage
