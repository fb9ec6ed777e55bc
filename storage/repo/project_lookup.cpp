#include "storage/repo/project_lookup.h"

#include "feedback/base/error.h"
#include "storage/postgres/exec.h"

namespace hone::storage {

void require_project(Tx& tx, const ProjectId& project) {
  const auto rows =
      exec(tx, "SELECT FROM projects WHERE team_id = $1 AND id = $2", tx.team(), project);
  if (rows.empty()) throw Error(Code::NotFound, "no such project");
}

}  // namespace hone::storage
