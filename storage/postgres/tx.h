// One transaction as the repositories see it. Made by Pool::transact only; the caller of a
// repository function owns it.
#pragma once

#include <string>
#include <vector>

#include "feedback/base/id.h"

namespace pqxx {
class transaction_base;
}

namespace hone::storage {

/// JSON travels through storage as text: checked and written by whoever speaks the format.
using JsonText = std::string;

/// An open transaction, READ COMMITTED. Lives for one call of Pool::transact, used by the thread
/// that made it. Committed when the function given to transact returns, rolled back when it throws.
class Tx {
 public:
  explicit Tx(pqxx::transaction_base& work) : work_(work) {}
  Tx(const Tx&) = delete;
  Tx& operator=(const Tx&) = delete;

  /// The team whose rows this transaction sees, empty when none: then no tenant row is visible.
  const TeamId& team() const { return team_; }
  /// Moves the rest of this transaction to `team`. For the few that learn the team on the way
  /// (a token, an invitation, the first team); handlers use Pool::transact(team, ...).
  void set_team(const TeamId& team);

  /// Gives the statements that follow in this transaction more than the pool's time: for the few
  /// that work through a whole project or file. Calling it again costs nothing.
  void allow_long_statements();

  pqxx::transaction_base& work() { return work_; }

 private:
  pqxx::transaction_base& work_;
  TeamId team_;
  bool long_statements_ = false;
};

/// What a list function gives: at most the asked number, and whether more follow. The cursor of
/// the next page is the id of the last item.
template <class T>
struct List {
  std::vector<T> data;
  bool has_more = false;
};

/// How much of a list, and after which item (its id; empty = from the start).
struct Page {
  int limit = 50;       ///< clamped to 1..200
  std::string after{};  ///< id of the last item of the page before
};

}  // namespace hone::storage
