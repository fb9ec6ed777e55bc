// Whether a project is there, without counting what is in it: for routes that are asked often.
#pragma once

#include "storage/postgres/tx.h"

namespace hone::storage {

/// NotFound when the transaction's team has no such project.
void require_project(Tx& tx, const ProjectId& project);

}  // namespace hone::storage
