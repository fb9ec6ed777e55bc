#include "services/server/background.h"

#include <pthread.h>

#include <algorithm>
#include <exception>

#include "feedback/base/error.h"
#include "feedback/lifecycle/reaping.h"
#include "services/shared/log.h"
#include "storage/postgres/listener.h"
#include "storage/redis/redis.h"
#include "storage/repo/idempotency.h"
#include "storage/repo/outbox.h"
#include "storage/repo/queue.h"
#include "storage/repo/reaper.h"
#include "storage/repo/teams.h"

namespace hone::server {
namespace {

using namespace std::chrono_literals;

// Says a lasting trouble once, and its end once: a database away for an hour is two lines.
class Trouble {
 public:
  explicit Trouble(const char* who) : who_(who) {}
  void met(const std::string& why) {
    if (!std::exchange(lasting_, true))
      shared::log_warning("trouble", {{"who", who_}, {"why", why}});
  }
  void over() {
    if (std::exchange(lasting_, false)) shared::log_info("trouble_over", {{"who", who_}});
  }

 private:
  const char* who_;
  bool lasting_ = false;
};

// One round of a thread, whose failure is never the thread's end.
template <class F>
void round(Trouble& trouble, F&& f) {
  try {
    f();
    trouble.over();
  } catch (const std::exception& error) {
    trouble.met(error.what());
  }
}

}  // namespace

Background::Background(const shared::Config& config, storage::Pool& pool, EventHub& events,
                       HealthState& health)
    : config_(config), pool_(pool), events_(events), health_(health) {
  listener_ = std::jthread([this](std::stop_token stop) { listen(stop); });
  relay_ = std::jthread([this](std::stop_token stop) { relay(stop); });
  reaper_ = std::jthread([this](std::stop_token stop) { reap(stop); });
}

Background::~Background() {
  for (auto* thread : {&listener_, &relay_, &reaper_}) thread->request_stop();
  wake_.notify_all();
}

bool Background::rest(const std::stop_token& stop, std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, stop, most, [&stop] { return stop.stop_requested(); });
  return stop.stop_requested();
}

void Background::poke_relay() {
  {
    const std::lock_guard lock(mutex_);
    poked_ = true;
  }
  wake_.notify_all();
}

void Background::listen(std::stop_token stop) {
  pthread_setname_np(pthread_self(), "news");
  storage::Listener listener(config_.database_url, storage::kEventsChannel);
  Trouble trouble("news");
  while (!stop.stop_requested()) {
    round(trouble, [&] {
      const auto jobs = listener.wait(500ms);
      for (const auto& job : jobs) events_.announce(job);
      if (!jobs.empty()) poke_relay();
    });
  }
}

// A message may be sent twice and may be lost with Redis; both cost nothing but time, since
// workers also look by themselves.
void Background::relay(std::stop_token stop) {
  pthread_setname_np(pthread_self(), "relay");
  std::optional<storage::Redis> redis;
  if (!config_.redis_url.empty()) redis.emplace(storage::parse_redis_url(config_.redis_url));
  const auto publish = [&redis](const storage::OutboxMessage& message) {
    // Without Redis nobody listens: the message has done its work by being in the transaction.
    return !redis || redis->xadd(message.topic, {{"job_id", message.key}}).has_value();
  };
  Trouble trouble("relay"), redis_trouble("redis");
  auto next_ping = std::chrono::steady_clock::now();
  while (!stop.stop_requested()) {
    bool more = false;
    round(trouble, [&] {
      const auto relayed =
          pool_.transact([&](storage::Tx& tx) { return storage::relay_batch(tx, publish); });
      more = relayed.sent > 0 && !relayed.failed;
      if (relayed.failed) next_ping = std::chrono::steady_clock::now();
    });
    if (redis && std::chrono::steady_clock::now() >= next_ping) {
      const bool answers = redis->ping();
      health_.set_redis(answers ? HealthState::Redis::Ok : HealthState::Redis::Away);
      if (answers)
        redis_trouble.over();
      else
        redis_trouble.met("Redis does not answer; workers look for work by themselves");
      next_ping = std::chrono::steady_clock::now() + 2s;
    }
    if (more) continue;
    // Woken by the news of a job, or at the latest after half a second.
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, 500ms, [this, &stop] { return poked_ || stop.stop_requested(); });
    poked_ = false;
  }
}

void Background::reap(std::stop_token stop) {
  pthread_setname_np(pthread_self(), "reaper");
  const auto pause = std::clamp<std::chrono::milliseconds>(config_.lease / 5, 100ms, 2000ms);
  feedback::HeartbeatWatch watch(config_.lease,
                                 std::max<std::chrono::milliseconds>(config_.lease / 2, 4 * pause));
  Trouble trouble("reaper");
  health_.set_database(pool_.ping());
  auto next_nudge = std::chrono::steady_clock::now();
  auto next_prune = next_nudge + 1min, next_sweep = next_nudge;
  while (!rest(stop, pause)) {
    round(trouble, [&] {
      const auto heartbeats =
          pool_.transact([](storage::Tx& tx) { return storage::list_heartbeats(tx); });
      health_.set_database(true);
      std::vector<feedback::Beat> beats;
      for (const auto& held : heartbeats.held)
        beats.push_back({held.job.value, held.epoch, held.heartbeat_no});
      // Another server reaps: what was watched until now must not count later.
      if (!heartbeats.mine) beats.clear();
      for (const auto& gone : watch.poll(beats, std::chrono::steady_clock::now())) {
        const storage::Heartbeat seen{JobId{gone.job}, gone.epoch, gone.heartbeat_no, ""};
        const auto state =
            pool_.transact([&seen](storage::Tx& tx) { return storage::reap_job(tx, seen); });
        if (!state.empty())
          shared::log_warning("job_reaped",
                              {{"run", gone.job}, {"epoch", gone.epoch}, {"state", state}});
      }
      const auto now = std::chrono::steady_clock::now();
      if (now >= next_nudge) {
        if (pool_.transact([](storage::Tx& tx) { return storage::nudge_queued_jobs(tx); }) > 0)
          poke_relay();
        next_nudge = now + 2s;
      }
      // Assignments whose holder went away; a hand-out sweeps its own project before it looks.
      if (now >= next_sweep) {
        pool_.transact([](storage::Tx& tx) { storage::expire_assignments(tx); });
        next_sweep = now + 10s;
      }
      if (now >= next_prune) {
        pool_.transact([](storage::Tx& tx) { storage::prune_outbox(tx); });
        for (const auto& team :
             pool_.transact([](storage::Tx& tx) { return storage::list_teams(tx); }))
          pool_.transact(team.id, [](storage::Tx& tx) { storage::prune_idempotency(tx); });
        next_prune = now + 1h;
      }
    });
    if (!pool_.ping()) health_.set_database(false);
  }
}

}  // namespace hone::server
