// hone-worker: claims jobs from PostgreSQL, has hone-run carry them out, and publishes what comes
// of them. Any number of them on any number of machines.
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string>

#include "feedback/base/error.h"
#include "services/shared/config.h"
#include "services/shared/log.h"
#include "services/shared/signals.h"
#include "services/worker/worker.h"

namespace {

using namespace hone;

std::string name_of_this_process() {
  char host[256] = "worker";
  gethostname(host, sizeof host - 1);
  return std::string(host) + ":" + std::to_string(getpid());
}

worker::Settings settings_of(const shared::Config& config) {
  worker::Settings settings;
  settings.name = name_of_this_process();
  settings.jobs = std::filesystem::absolute(config.jobs());
  settings.run = config.run;
  settings.threads = config.threads;
  settings.lease = config.lease;
  settings.poll = config.poll;
  settings.heartbeat.interval = config.heartbeat;
  settings.heartbeat.doubt_after = config.lease * 4 / 5;  // 12 s of 15
  return settings;
}

int run() {
  const auto config = shared::read_config();
  if (config.database_worker_url.empty())
    throw Error(Code::Invalid,
                "HONE_DATABASE_URL is not set; services/local/hone-local env prints one");
  if (access(config.run.c_str(), X_OK) != 0)
    throw Error(Code::Invalid,
                "no program " + config.run.string() + "; set HONE_RUN to where hone-run lies");
  const auto settings = settings_of(config);

  std::stop_source stop;
  const shared::StopSignals signals([&stop] { stop.request_stop(); });
  worker::Store store(config.database_worker_url, config.store());
  worker::Waker waker(config.redis_url, settings.gpu_class, settings.name, settings.poll);
  shared::log_info("worker_started",
                   {{"worker", settings.name}, {"gpu_class", settings.gpu_class}});
  worker::work(settings, store, waker, stop.get_token());
  shared::log_info("worker_stopped", {{"worker", settings.name}});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    const bool asked = std::string_view(argv[1]) == "--help";
    std::fputs(
        "usage: hone-worker\nSettings are environment variables: HONE_DATABASE_URL, "
        "HONE_REDIS_URL, HONE_HOME, "
        "HONE_RUN, HONE_THREADS, HONE_LEASE_S, HONE_HEARTBEAT_S, HONE_POLL_S.\n",
        asked ? stdout : stderr);
    return asked ? 0 : 64;
  }
  shared::open_log("hone-worker");
  try {
    return run();
  } catch (const std::exception& failed) {
    std::fprintf(stderr, "hone-worker: %s\n", failed.what());
    return 78;  // configuration
  }
}
