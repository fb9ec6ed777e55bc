#include "storage/postgres/pool.h"

#include <condition_variable>
#include <mutex>
#include <pqxx/pqxx>
#include <random>
#include <thread>
#include <vector>

#include "feedback/base/error.h"
#include "storage/postgres/conninfo.h"
#include "storage/postgres/errors.h"
#include "storage/postgres/exec.h"

namespace hone::storage {
namespace {

constexpr int kMostRuns = 5;

using Clock = std::chrono::steady_clock;
using Connection = std::unique_ptr<pqxx::connection>;

void wait_with_jitter(int run) {
  thread_local std::minstd_rand random(std::random_device{}());
  const int most_ms = 5 << run;
  std::this_thread::sleep_for(std::chrono::milliseconds(1 + random() % most_ms));
}

}  // namespace

struct Pool::Shared {
  PoolOptions options;
  std::string conninfo;
  std::mutex mutex;
  std::condition_variable returned;
  std::vector<Connection> idle;
  int out = 0;

  Connection open() const {
    try {
      auto connection = std::make_unique<pqxx::connection>(conninfo);
      if (!options.role.empty()) {
        pqxx::nontransaction session(*connection);
        session.exec("SET ROLE " + session.quote_name(options.role));
      }
      return connection;
    } catch (...) {
      rethrow_translated();
    }
  }
};

/// One connection taken from the pool; given back unless it broke.
class Pool::Held {
 public:
  explicit Held(Shared& shared) : shared_(shared) {
    std::unique_lock lock(shared.mutex);
    const bool got = shared.returned.wait_for(lock, shared.options.acquire_timeout, [&] {
      return !shared.idle.empty() || shared.out < shared.options.size;
    });
    if (!got) throw Error(Code::Busy, "the database is busy; try again in a moment");
    ++shared.out;
    if (!shared.idle.empty()) {
      connection_ = std::move(shared.idle.back());
      shared.idle.pop_back();
      reused_ = true;
    }
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    {
      const std::lock_guard lock(shared_.mutex);
      --shared_.out;
      if (connection_ && connection_->is_open()) shared_.idle.push_back(std::move(connection_));
    }
    shared_.returned.notify_one();
  }

  /// Opened outside the lock: it may take a while.
  pqxx::connection& get() {
    if (!connection_) connection_ = shared_.open();
    return *connection_;
  }
  bool reused() const { return reused_; }
  /// A connection that waited in the pool may have died there. So have the others, most likely.
  void drop() {
    connection_.reset();
    reused_ = false;
    const std::lock_guard lock(shared_.mutex);
    shared_.idle.clear();
  }

 private:
  Shared& shared_;
  Connection connection_;
  bool reused_ = false;
};

Pool::Pool(PoolOptions options) : shared_(std::make_unique<Shared>()) {
  shared_->conninfo =
      bounded_conninfo(options.conninfo, options.acquire_timeout, options.statement_timeout);
  shared_->options = std::move(options);
}

Pool::~Pool() = default;

namespace {

/// One try. `begun` says whether `f` may have done anything.
void run_once(pqxx::connection& connection, const TeamId& team, const std::function<void(Tx&)>& f,
              bool& begun) {
  pqxx::work work(connection);
  Tx tx(work);
  // The first statement always is this one, so a connection that died while idle is found out
  // before anything was asked of it, and a fresh one may take over without harm.
  tx.set_team(team);
  begun = true;
  f(tx);
  work.commit();
}

}  // namespace

void Pool::run(const TeamId& team, const std::function<void(Tx&)>& f) {
  Held held(*shared_);
  for (int run = 1;; ++run) {
    bool begun = false;
    try {
      run_once(held.get(), team, f, begun);
      return;
    } catch (...) {
      if (!begun && held.reused()) {
        held.drop();
        continue;
      }
      if (!is_retryable()) rethrow_translated();
      if (run >= kMostRuns)
        throw Error(Code::Busy, "too many changes at once; try again in a moment");
      wait_with_jitter(run);
    }
  }
}

bool Pool::ping() noexcept {
  try {
    transact([](Tx& tx) { exec(tx, "SELECT 1"); });
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace hone::storage
