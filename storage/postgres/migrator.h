// Brings a database to this program's schema: forward only, one transaction a file.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hone::storage {

/// One file of migrations/, compiled into the program.
struct Migration {
  std::string_view name;  ///< "0002_accounts.sql"; order is by name
  std::string_view sql;
};

/// Every file of migrations/, in order.
std::span<const Migration> embedded_migrations();

/// Applies what `database` lacks, in order, each file in its own transaction together with its row
/// in schema_migrations, under a lock that keeps two migrators apart. Returns the names applied
/// now. The first file makes the roles hone_owner, hone_app and hone_worker when missing, as the
/// login itself; the rest run as hone_owner, which then owns every table and function. Throws
/// Conflict when an applied file was edited since or is unknown to this program (a newer one has
/// been here), Busy when the database cannot be reached.
std::vector<std::string> migrate(const std::string& owner_conninfo,
                                 std::span<const Migration> migrations = embedded_migrations());

/// The files that `database` still lacks; for `ready` checks. Reads only.
std::vector<std::string> pending_migrations(
    const std::string& conninfo, std::span<const Migration> migrations = embedded_migrations());

}  // namespace hone::storage
