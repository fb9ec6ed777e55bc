#include "tests/support/local_services.h"

#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "storage/postgres/migrator.h"
#include "storage/redis/redis.h"

namespace hone::test {
namespace fs = std::filesystem;
namespace {

constexpr const char* kRedisPassword = "only-for-tests";

/// The user that PostgreSQL runs as; null = ours.
const passwd* postgres_user() {
  if (::geteuid() != 0) return nullptr;
  const passwd* user = ::getpwnam("postgres");
  if (user == nullptr) throw std::runtime_error("there is no user `postgres` to run PostgreSQL as");
  return user;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Starts a program that ends when this one does, as `user` when given, its output going to `log`.
pid_t start(const std::vector<std::string>& words, const fs::path& log, const passwd* user) {
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child > 0) return child;

  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::setpgid(0, 0);
  if (user != nullptr && (::initgroups(user->pw_name, user->pw_gid) != 0 ||
                          ::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0))
    ::_exit(126);
  if (::chdir("/") != 0) ::_exit(126);
  // After the change of user, which would clear it.
  ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (::getppid() != parent) ::_exit(126);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

void run(const std::vector<std::string>& words, const fs::path& log, const passwd* user) {
  int status = 0;
  if (::waitpid(start(words, log, user), &status, 0) < 0 || status != 0)
    throw std::runtime_error(words[0] + " failed:\n" + read_file(log));
}

bool wait_until(const std::function<bool()>& ready, pid_t child) {
  for (int i = 0; i < 500; ++i) {
    if (ready()) return true;
    if (::waitpid(child, nullptr, WNOHANG) == child) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

void end(pid_t& child, int signal) {
  if (child <= 0) return;
  ::kill(child, signal);
  ::waitpid(child, nullptr, 0);
  child = -1;
}

fs::path find_postgres() {
  fs::path best;
  int newest = 0;
  if (fs::is_directory("/usr/lib/postgresql"))
    for (const auto& version : fs::directory_iterator("/usr/lib/postgresql")) {
      const int number = std::atoi(version.path().filename().c_str());
      if (number > newest && fs::exists(version.path() / "bin" / "postgres")) {
        newest = number;
        best = version.path() / "bin";
      }
    }
  if (best.empty()) throw std::runtime_error("no PostgreSQL server under /usr/lib/postgresql");
  return best;
}

}  // namespace

LocalServices::LocalServices() : binaries_(find_postgres()) {
  char name[] = "/tmp/hone-test-XXXXXX";
  if (::mkdtemp(name) == nullptr) throw std::runtime_error("cannot make a temporary folder");
  folder_ = name;
  const passwd* user = postgres_user();
  if (user != nullptr && ::chown(folder_.c_str(), user->pw_uid, user->pw_gid) != 0)
    throw std::runtime_error("cannot hand the folder to postgres");
  ::chmod(folder_.c_str(), 0755);
  run({(binaries_ / "initdb").string(), "-D", (folder_ / "data").string(), "-U", "postgres", "-A",
       "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"},
      folder_ / "initdb.log", user);
  start_postgres();
  start_redis();
}

LocalServices::~LocalServices() {
  end(redis_, SIGKILL);
  end(postgres_, SIGQUIT);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

LocalServices& LocalServices::shared() {
  static LocalServices services;
  return services;
}

void LocalServices::start_postgres() {
  // fsync=off forgets at a power cut, which no test makes; synchronous_commit stays on, or a killed
  // server would forget what it had acknowledged.
  const auto log = folder_ / "postgres.log";
  postgres_ = start({(binaries_ / "postgres").string(),
                     "-D",
                     (folder_ / "data").string(),
                     "-k",
                     folder_.string(),
                     "-c",
                     "listen_addresses=",
                     "-c",
                     "fsync=off",
                     "-c",
                     "full_page_writes=off",
                     "-c",
                     "shared_buffers=64MB",
                     "-c",
                     "max_connections=100",
                     "-c",
                     "deadlock_timeout=200ms",
                     "-c",
                     "jit=off",
                     "-c",
                     "autovacuum_naptime=5s"},
                    log, postgres_user());
  const auto answers = [this] {
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(
        PQconnectdb(url("postgres").c_str()), &PQfinish);
    return PQstatus(connection.get()) == CONNECTION_OK;
  };
  if (!wait_until(answers, postgres_))
    throw std::runtime_error("PostgreSQL did not start:\n" + read_file(log));
}

void LocalServices::stop_postgres() { end(postgres_, SIGINT); }

void LocalServices::kill_postgres() {
  // Its own process group: the postmaster and every backend at once, as a power cut would. Backends
  // of a killed postmaster would otherwise finish what they are at.
  if (postgres_ <= 0) return;
  std::vector<pid_t> backends;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const int pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    std::istringstream stat(read_file(entry.path() / "stat"));
    std::string line;
    std::getline(stat, line);
    const auto close = line.rfind(')');
    int parent = 0;
    char state = 0;
    if (close != std::string::npos) std::istringstream(line.substr(close + 1)) >> state >> parent;
    if (parent == postgres_) backends.push_back(pid);
  }
  ::kill(postgres_, SIGSTOP);
  for (const pid_t pid : backends) ::kill(pid, SIGKILL);
  end(postgres_, SIGKILL);
}

void LocalServices::start_redis() {
  const auto log = folder_ / "redis.log";
  redis_ = start({"redis-server", "--port", "0", "--unixsocket", (folder_ / "redis.sock").string(),
                  "--unixsocketperm", "777", "--requirepass", kRedisPassword, "--save", "",
                  "--appendonly", "no", "--dir", folder_.string()},
                 log, postgres_user());
  const auto answers = [this] {
    storage::Redis redis(storage::parse_redis_url(redis_url()));
    return redis.ping();
  };
  if (!wait_until(answers, redis_))
    throw std::runtime_error("Redis did not start:\n" + read_file(log));
}

void LocalServices::kill_redis() { end(redis_, SIGKILL); }

std::string LocalServices::url(const std::string& database) const {
  return "postgresql:///" + database + "?user=postgres&host=" + folder_.string();
}

std::string LocalServices::redis_url() const {
  return "unix:" + (folder_ / "redis.sock").string() + "?password=" + kRedisPassword;
}

void LocalServices::run_sql(const std::string& database, const std::string& sql) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(url(database).c_str()),
                                                                &PQfinish);
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()),
                                                             &PQclear);
  if (PQresultStatus(result.get()) != PGRES_COMMAND_OK)
    throw std::runtime_error(sql + ": " + PQerrorMessage(connection.get()));
}

std::string LocalServices::empty_database() {
  const auto name = "test" + std::to_string(++databases_);
  run_sql("postgres", "CREATE DATABASE " + name);
  return url(name);
}

std::string LocalServices::fresh_database() {
  if (!template_made_) {
    run_sql("postgres", "CREATE DATABASE hone_template");
    storage::migrate(url("hone_template"));
    template_made_ = true;
  }
  const auto name = "test" + std::to_string(++databases_);
  run_sql("postgres", "CREATE DATABASE " + name + " TEMPLATE hone_template");
  return url(name);
}

}  // namespace hone::test
