// hone-server: the HTTP API, the page, live progress, the outbox's relay and the reaper.
#include <sodium.h>

#include <fmt/format.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <mutex>
#include <thread>

#include "feedback/base/error.h"
#include "hone_revision.h"
#include "services/httpd/address.h"
#include "services/server/app.h"
#include "services/server/auth/accounts.h"
#include "services/server/auth/links.h"
#include "services/server/background.h"
#include "services/server/dispatch.h"
#include "services/server/events/event_hub.h"
#include "services/server/health_state.h"
#include "services/shared/clock.h"
#include "services/shared/log.h"
#include "services/shared/signals.h"
#include "storage/artifacts/store.h"
#include "storage/postgres/migrator.h"

namespace hone::server {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kHelp =
    "hone-server [--behind-proxy[=CIDR,...]]\n"
    "\n"
    "Serves the HTTP API and the page. Settings come from the environment: HONE_DATABASE_URL,\n"
    "HONE_REDIS_URL, HONE_HOME, HONE_LISTEN, HONE_LISTEN_NEXT_FREE, HONE_WEB, HONE_PUBLIC_URL.\n"
    "\n"
    "  --behind-proxy[=CIDR,...]  allow an address other than loopback: a proxy in front speaks "
    "TLS.\n"
    "                             From the given ranges X-Forwarded-For is believed.\n"
    "  --version, --help\n";

// What a stop signal does changes while the server starts and ends; the signal may come at any
// time.
class StopAction {
 public:
  void set(std::function<void()> action) {
    const std::lock_guard lock(mutex_);
    action_ = std::move(action);
    if (asked_ && action_) action_();
  }
  void ask() {
    const std::lock_guard lock(mutex_);
    asked_ = true;
    if (action_) action_();
  }

 private:
  std::mutex mutex_;
  std::function<void()> action_;
  bool asked_ = false;
};

struct Arguments {
  bool behind_proxy = false;
  std::vector<std::string> proxies;
};

Arguments parse_arguments(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--behind-proxy") {
      out.behind_proxy = true;
    } else if (argument.starts_with("--behind-proxy=")) {
      out.behind_proxy = true;
      std::string rest = argument.substr(argument.find('=') + 1);
      while (!rest.empty()) {
        const auto comma = rest.find(',');
        out.proxies.push_back(rest.substr(0, comma));
        if (!httpd::is_cidr(out.proxies.back()))
          throw Error(Code::Invalid,
                      fmt::format("`{}` is not an address range", out.proxies.back()));
        rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
      }
    } else {
      throw Error(Code::Invalid,
                  fmt::format("`{}` is not known; see hone-server --help", argument));
    }
  }
  return out;
}

// A schema of another age would fail request by request; better said once, before the first.
// A database that is away is no reason not to start: it may come back.
void check_schema(const shared::Config& config) {
  try {
    if (const auto missing = storage::pending_migrations(config.database_url); !missing.empty())
      throw Error(
          Code::Conflict,
          fmt::format("the database lacks {} migration(s), beginning with {}: run `hone migrate`",
                      missing.size(), missing.front()));
  } catch (const Error& error) {
    if (error.code() != Code::Busy) throw;
    shared::log_warning("database_away", {{"why", error.detail()}});
  }
}

void greet(storage::Pool& pool, Random& random, const std::string& public_url) {
  fmt::print("hone-server listens on {}\n", public_url);
  std::fflush(stdout);  // the link may have to wait for the database
  std::string link;
  try {
    link = make_setup_link(pool, random, public_url);
  } catch (const Error& error) {
    shared::log_warning("no_setup_link", {{"why", error.detail()}});
  }
  if (!link.empty())
    fmt::print(
        "Nobody has an account yet. This link makes the first administrator, once, within a day:\n"
        "  {}\n",
        link);
  std::fflush(stdout);
  shared::log_info("started", {{"setup_link", !link.empty()}});
}

void remove_old_uploads(const std::filesystem::path& folder) {
  std::error_code ignored;
  std::filesystem::create_directories(folder);
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (entry.path().filename().string().starts_with("upload."))
      std::filesystem::remove(entry.path(), ignored);
}

int serve(const Arguments& arguments) {
  const auto config = shared::read_config();
  shared::open_log("hone-server");
  if (config.database_url.empty()) throw Error(Code::Invalid, "HONE_DATABASE_URL is not set");
  if (!httpd::is_loopback(config.listen.host) && !arguments.behind_proxy)
    throw Error(
        Code::Invalid,
        fmt::format(
            "HONE_LISTEN is {}, which others can reach, and this server speaks no TLS: listen on "
            "127.0.0.1, or put a proxy in front and say --behind-proxy",
            config.listen.host));
  // Before any other thread, so that all of them leave the signals to this one.
  StopAction stop;
  const shared::StopSignals signals([&stop] { stop.ask(); });
  if (sodium_init() < 0) throw std::runtime_error("libsodium cannot start");
  check_schema(config);
  remove_old_uploads(config.tmp());

  shared::SystemClock clock;
  shared::SystemRandom random;
  storage::ArtifactStore store(config.store());
  storage::Pool pool({.conninfo = config.database_url, .role = "hone_app", .size = 20});
  EventHub events;
  HealthState health;
  Accounts accounts(shared::read_or_make_secret(config.secrets(), "csrf"));
  WorkPool database_threads("database", 16, 256), file_threads("files", 4, 64);
  Database db(pool, database_threads);
  StaticFiles page(config.web);
  App app{.config = config,
          .db = db,
          .files = file_threads,
          .store = store,
          .events = events,
          .health = health,
          .accounts = accounts,
          .clock = clock,
          .random = random,
          .cursor_key = shared::read_or_make_secret(config.secrets(), "cursor"),
          .public_url = {}};
  Dispatch dispatch(app, page);

  const int io_threads = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 2, 4);
  boost::asio::io_context io(io_threads);
  httpd::Server server(io,
                       {.address = config.listen.host,
                        .port = config.listen.port,
                        .next_free = config.listen_next_free,
                        .trusted_proxies = arguments.proxies,
                        .limits = {}},
                       dispatch);
  const auto host = config.listen.host.find(':') == std::string::npos
                        ? config.listen.host
                        : "[" + config.listen.host + "]";
  app.public_url = config.public_url.value_or(fmt::format("http://{}:{}", host, server.port()));

  auto guard = boost::asio::make_work_guard(io);
  stop.set([&] {
    shared::log_info("stopping", {{"connections", server.connections()}});
    events.close();
    server.stop(10s, [&guard] { guard.reset(); });
  });
  Background background(config, pool, events, health);
  server.start();
  shared::log_info(
      "listening",
      {{"host", config.listen.host}, {"port", server.port()}, {"revision", HONE_REVISION}});
  greet(pool, random, app.public_url);

  std::vector<std::thread> threads;
  for (int i = 0; i < io_threads; ++i) threads.emplace_back([&io] { io.run(); });
  for (auto& thread : threads) thread.join();
  stop.set(nullptr);
  // Work that was accepted ends before what it refers to.
  database_threads.join();
  file_threads.join();
  accounts.join();
  shared::log_info("stopped");
  return 0;
}

}  // namespace
}  // namespace hone::server

int main(int argc, char** argv) {
  const std::string first = argc == 2 ? argv[1] : "";
  if (first == "--help" || first == "-h") return fmt::print("{}", hone::server::kHelp), 0;
  if (first == "--version")
    return fmt::print("hone-server {} ({})\n", HONE_VERSION, HONE_REVISION), 0;
  try {
    return hone::server::serve(hone::server::parse_arguments(argc, argv));
  } catch (const std::exception& error) {
    fmt::print(stderr, "hone-server: {}\n", error.what());
    return 1;
  }
}
