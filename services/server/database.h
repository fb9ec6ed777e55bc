// Transactions for coroutines: blocking pqxx on its own threads, never on an io thread.
#pragma once

#include <utility>

#include "feedback/base/id.h"
#include "services/server/work_pool.h"
#include "storage/postgres/pool.h"

namespace hone::server {

/// Any thread. `fn` may run more than once (serialization failures are retried), so it changes
/// nothing outside but its result. Errors: those of `fn`; Busy when the queue is full or the
/// database is away.
///
/// Name the lambda on the line before: GCC 12 destroys the captures of a temporary twice.
///
///   const auto list = [project](storage::Tx& tx) { return storage::list_prompts(tx, project); };
///   const auto prompts = co_await app.db.transact(caller.team, list);
class Database {
 public:
  Database(storage::Pool& pool, WorkPool& workers) : pool_(pool), workers_(workers) {}

  /// Sees the rows of `team` only (row-level security).
  template <class F, class R = std::invoke_result_t<F&, storage::Tx&>>
  net::awaitable<R> transact(TeamId team, F fn) {
    auto work = [this, &team, &fn]() -> R { return pool_.transact(team, fn); };
    co_return co_await workers_.call(std::ref(work));
  }

  /// Without a team: accounts, bases, and what else belongs to the instance.
  template <class F, class R = std::invoke_result_t<F&, storage::Tx&>>
  net::awaitable<R> transact(F fn) {
    auto work = [this, &fn]() -> R { return pool_.transact(fn); };
    co_return co_await workers_.call(std::ref(work));
  }

 private:
  storage::Pool& pool_;
  WorkPool& workers_;
};

}  // namespace hone::server
