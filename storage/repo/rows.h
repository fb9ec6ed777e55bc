// Inside storage/repo: rows that more than one repository reads.
#pragma once

#include <pqxx/row>

#include "storage/repo/jobs.h"

namespace hone::storage {

/// From the columns of jobs plus `created`, `started`, `finished` and `waiting`.
Job job_of(const pqxx::row& row);

}  // namespace hone::storage
