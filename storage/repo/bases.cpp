#include "storage/repo/bases.h"

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

Base base_of(const pqxx::row& row) {
  return {.id = id<BaseTag>(row, "id"),
          .name = text(row, "name"),
          .description = text(row, "description"),
          .architecture = text(row, "architecture"),
          .format = text(row, "format"),
          .sha256 = text(row, "sha256"),
          .bytes = int64(row, "bytes"),
          .created_at = text(row, "created")};
}

}  // namespace

Base insert_base(Tx& tx, const NewBase& given) {
  exec(tx, R"sql(
      INSERT INTO bases (name, description, architecture, format, sha256, bytes)
      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING)sql",
       given.name, given.description, given.architecture, given.format, given.sha256, given.bytes);
  auto base = find_base(tx, given.name).value();
  if (base.sha256 != given.sha256)
    throw Error(Code::Conflict, "the base " + given.name + " has other bytes; choose another name",
                "/name");
  return base;
}

std::vector<Base> list_bases(Tx& tx) {
  std::vector<Base> bases;
  for (const auto& row :
       exec(tx, "SELECT *, rfc3339(created_at) AS created FROM bases ORDER BY name"))
    bases.push_back(base_of(row));
  return bases;
}

std::optional<Base> find_base(Tx& tx, const std::string& name_or_id) {
  const auto rows = exec(tx, R"sql(
      SELECT *, rfc3339(created_at) AS created FROM bases WHERE name = $1 OR id::text = lower($1)
       ORDER BY name = $1 DESC LIMIT 1)sql",
                         name_or_id);
  if (rows.empty()) return std::nullopt;
  return base_of(rows[0]);
}

}  // namespace hone::storage
