#include "tests/integration/server/server_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace hone::server::test {
namespace {

using Clock = std::chrono::steady_clock;

// Starts hone-server with both outputs on the given descriptors.
pid_t start(const Environment& environment, const std::vector<std::string>& arguments, int out,
            int err) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    all[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
  }
  for (const auto& [name, value] : environment) all[name] = value;
  std::vector<std::string> texts;
  for (const auto& [name, value] : all) texts.push_back(name + "=" + value);
  std::vector<char*> env, argv;
  for (auto& text : texts) env.push_back(text.data());
  env.push_back(nullptr);
  std::string program = std::string(HONE_BIN_DIR) + "/hone-server";
  argv.push_back(program.data());
  auto copies = arguments;
  for (auto& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);

  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(out, 1);
    ::dup2(err, 2);
    ::execve(program.c_str(), argv.data(), env.data());
    ::_exit(127);
  }
  return pid;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace

nlohmann::json Reply::json() const { return nlohmann::json::parse(body, nullptr, false); }

std::string Reply::cookie() const {
  const auto found = headers.find("set-cookie");
  if (found == headers.end()) return "";
  const auto begin = found->second.find('=') + 1;
  return found->second.substr(begin, found->second.find(';') - begin);
}

ServerProcess::ServerProcess(const Environment& environment, std::vector<std::string> arguments) {
  static int count = 0;
  log_ =
      std::filesystem::temp_directory_path() /
      ("hone-server-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count) + ".log");
  int out[2];
  if (::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const int err = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  auto all = environment;
  all.try_emplace("HONE_LISTEN", "127.0.0.1:0");
  const auto began = Clock::now();
  pid_ = start(all, arguments, out[1], err);
  ::close(out[1]);
  ::close(err);
  read_greeting(out[0]);
  start_time_ = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
  // The link, if there is one, stands in the pipe by the time the log says `started`.
  for (int i = 0; i < 1000 && log().find("\"event\":\"started\"") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  pollfd waiting{out[0], POLLIN, 0};
  if (::poll(&waiting, 1, 0) > 0) {
    char text[4096];
    const auto got = ::read(out[0], text, sizeof text);
    if (got > 0) printed_.append(text, static_cast<std::size_t>(got));
  }
  ::close(out[0]);
}

void ServerProcess::read_greeting(int fd) {
  const auto until = Clock::now() + std::chrono::seconds(30);
  while (printed_.find('\n') == std::string::npos) {
    pollfd waiting{fd, POLLIN, 0};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    char text[4096];
    if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) <= 0)
      throw std::runtime_error("hone-server did not start: " + log());
    const auto got = ::read(fd, text, sizeof text);
    if (got <= 0) throw std::runtime_error("hone-server ended: " + log());
    printed_.append(text, static_cast<std::size_t>(got));
  }
  const auto line = printed_.substr(0, printed_.find('\n'));
  port_ = static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) stop(SIGKILL, std::chrono::seconds(5));
  std::filesystem::remove(log_);
}

std::string ServerProcess::log() const { return read_file(log_); }

std::string ServerProcess::setup_token() const {
  const auto at = printed_.find("/#/join/");
  if (at == std::string::npos) return "";
  const auto begin = at + 8;
  return printed_.substr(begin, printed_.find_first_of("\n ", begin) - begin);
}

std::optional<int> ServerProcess::stop(int signal, std::chrono::milliseconds within) {
  ::kill(pid_, signal);
  const auto until = Clock::now() + within;
  while (Clock::now() < until) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return std::nullopt;
}

Reply ServerProcess::request(const std::string& method, const std::string& target,
                             const std::string& body, Headers headers) const {
  headers.try_emplace("Host", "127.0.0.1:" + std::to_string(port_));
  headers.try_emplace("Connection", "close");
  if (!body.empty()) {
    headers.try_emplace("Content-Type", "application/json");
    headers.try_emplace("Content-Length", std::to_string(body.size()));
  }
  std::string text = method + " " + target + " HTTP/1.1\r\n";
  for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
  auto raw = httpd::test::ask(port_, text + "\r\n" + body, method == "HEAD");
  return {raw.status, std::move(raw.headers), std::move(raw.body)};
}

std::pair<int, std::string> run_server(const Environment& environment,
                                       const std::vector<std::string>& arguments) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("hone-server-run-" + std::to_string(::getpid()) + ".log");
  const int out = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const pid_t pid = start(environment, arguments, out, out);
  ::close(out);
  int status = 0;
  // One that wrongly goes on serving is ended after a while.
  for (int i = 0; i < 500 && ::waitpid(pid, &status, WNOHANG) != pid; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (i == 499) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &status, 0);
    }
  }
  auto text = read_file(path);
  std::filesystem::remove(path);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
}

Headers as_page(const ServerProcess& server, const std::string& cookie, const std::string& csrf) {
  return {{"Cookie", "__Host-hone=" + cookie},
          {"X-Hone-CSRF", csrf},
          {"Origin", "http://127.0.0.1:" + std::to_string(server.port())}};
}

}  // namespace hone::server::test
