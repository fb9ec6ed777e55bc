// Connections to PostgreSQL, and transact(): the one place that opens, commits and retries.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "feedback/base/id.h"
#include "storage/postgres/tx.h"

namespace hone::storage {

struct PoolOptions {
  std::string conninfo{};  ///< libpq URL or keyword string
  std::string role{};      ///< "hone_app", "hone_worker"; empty = as the login is (the owner)
  int size = 8;            ///< connections at most; opened when first needed
  std::chrono::milliseconds acquire_timeout{
      2000};  ///< waiting for a connection, opening it included
  std::chrono::milliseconds statement_timeout{5000};  ///< of each statement, by the server
};

/// A bounded set of connections. All members from any thread; a call blocks its thread, so it never
/// runs on an io thread. A connection that breaks is thrown away and the next call opens a fresh
/// one, so a restarted PostgreSQL needs no help.
class Pool {
 public:
  explicit Pool(PoolOptions options);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Runs `f(Tx&)` in one transaction and returns what it returns, after the commit. No team: the
  /// app role sees no tenant row. `f` may be run again (up to 5 times) after a serialization
  /// failure or deadlock, so it holds no effect outside the transaction.
  /// Throws Busy when no connection came in time, when the connection was lost, or when the outcome
  /// of the commit is not known (then only a resend under the same key is safe).
  template <class F>
  auto transact(F&& f) {
    return transact(TeamId{}, std::forward<F>(f));
  }

  /// The same, seeing and writing the rows of `team` alone (row-level security).
  template <class F>
  auto transact(const TeamId& team, F&& f) {
    using Result = std::invoke_result_t<F&, Tx&>;
    if constexpr (std::is_void_v<Result>) {
      run(team, [&](Tx& tx) { f(tx); });
    } else {
      std::optional<Result> result;
      run(team, [&](Tx& tx) { result.emplace(f(tx)); });
      return std::move(*result);
    }
  }

  /// True when a statement comes back within the time limits. For health checks.
  bool ping() noexcept;

 private:
  struct Shared;
  class Held;
  void run(const TeamId& team, const std::function<void(Tx&)>& f);
  std::unique_ptr<Shared> shared_;
};

}  // namespace hone::storage
