// The schema as a whole: it applies, it stays, and nobody sees what is not theirs.
#include <gtest/gtest.h>

#include <pqxx/pqxx>

#include "feedback/base/error.h"
#include "feedback/lifecycle/job.h"
#include "storage/postgres/exec.h"
#include "storage/postgres/migrator.h"
#include "storage/postgres/pool.h"
#include "tests/support/local_services.h"

namespace hone::storage {
namespace {

using test::LocalServices;

TEST(Migrations, ApplyOnceAndThenHaveNothingToDo) {
  const auto url = LocalServices::shared().empty_database();
  EXPECT_EQ(pending_migrations(url).size(), embedded_migrations().size());
  EXPECT_EQ(migrate(url).size(), embedded_migrations().size());
  EXPECT_TRUE(migrate(url).empty());
  EXPECT_TRUE(pending_migrations(url).empty());
}

}  // namespace
}  // namespace hone::storage
