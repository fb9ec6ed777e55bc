#include "services/shared/config.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "feedback/base/error.h"

namespace hone::shared {
namespace {

[[noreturn]] void refuse(const char* name, const std::string& why) {
  throw Error(Code::Invalid, fmt::format("{}: {}", name, why), name);
}

std::string text_of(const Environment& environment, const char* name,
                    const std::string& otherwise = {}) {
  const char* value = environment(name);
  return value && *value ? value : otherwise;
}

std::chrono::milliseconds seconds_of(const Environment& environment, const char* name,
                                     std::chrono::milliseconds otherwise) {
  const auto text = text_of(environment, name);
  if (text.empty()) return otherwise;
  double seconds = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (failed != std::errc() || end != text.data() + text.size() || !(seconds >= 0.05) ||
      seconds > 86'400)
    refuse(name, fmt::format("`{}` is not a number of seconds between 0.05 and 86400", text));
  return std::chrono::milliseconds(std::llround(seconds * 1000));
}

bool flag_of(const Environment& environment, const char* name) {
  const auto text = text_of(environment, name);
  if (text.empty() || text == "0") return false;
  if (text == "1") return true;
  refuse(name, fmt::format("`{}` is neither 0 nor 1", text));
}

}  // namespace

Address parse_address(const std::string& text) {
  auto host = std::string("127.0.0.1");
  auto port = text;
  if (const auto colon = text.rfind(':'); colon != std::string::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (host.empty() || (!bracketed && host.find(':') != std::string::npos))
      throw Error(Code::Invalid, fmt::format("`{}` is not host:port", text));
  }
  unsigned number = 0;
  const auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (failed != std::errc() || end != port.data() + port.size() || number > 65'535)
    throw Error(Code::Invalid, fmt::format("`{}` is not a port between 0 and 65535", port));
  return {host, static_cast<std::uint16_t>(number)};
}

Config read_config(const Environment& environment, const std::filesystem::path& executable) {
  namespace fs = std::filesystem;
  Config config;
  config.home = fs::absolute(text_of(environment, "HONE_HOME", ".hone")).lexically_normal();
  config.database_url = text_of(environment, "HONE_DATABASE_URL");
  config.database_owner_url = text_of(environment, "HONE_DATABASE_OWNER_URL", config.database_url);
  config.database_worker_url =
      text_of(environment, "HONE_DATABASE_WORKER_URL", config.database_url);
  config.redis_url = text_of(environment, "HONE_REDIS_URL");

  if (const auto listen = text_of(environment, "HONE_LISTEN"); !listen.empty()) {
    try {
      config.listen = parse_address(listen);
    } catch (const Error& error) {
      refuse("HONE_LISTEN", error.detail());
    }
  }
  config.listen_next_free = flag_of(environment, "HONE_LISTEN_NEXT_FREE");

  // Built from a checkout the programs lie in build/<preset>/bin and the page in web/dist.
  const auto here = executable.parent_path();
  const auto beside_checkout = (here / "../../../web/dist").lexically_normal();
  config.web =
      text_of(environment, "HONE_WEB",
              fs::exists(beside_checkout) ? beside_checkout.string() : "/usr/share/hone/web");
  config.run = text_of(environment, "HONE_RUN", (here / "hone-run").string());

  config.lease = seconds_of(environment, "HONE_LEASE_S", config.lease);
  config.heartbeat = seconds_of(environment, "HONE_HEARTBEAT_S", config.heartbeat);
  config.poll = seconds_of(environment, "HONE_POLL_S", config.poll);
  if (config.heartbeat >= config.lease)
    refuse("HONE_HEARTBEAT_S", "a heartbeat must be shorter than the lease (HONE_LEASE_S)");

  if (auto url = text_of(environment, "HONE_PUBLIC_URL"); !url.empty()) {
    while (url.ends_with('/')) url.pop_back();
    if (!url.starts_with("http://") && !url.starts_with("https://"))
      refuse("HONE_PUBLIC_URL", fmt::format("`{}` does not begin with http:// or https://", url));
    config.public_url = url;
  }
  if (const auto threads = text_of(environment, "HONE_THREADS"); !threads.empty()) {
    const auto [end, failed] =
        std::from_chars(threads.data(), threads.data() + threads.size(), config.threads);
    if (failed != std::errc() || end != threads.data() + threads.size() || config.threads < 1 ||
        config.threads > 1024)
      refuse("HONE_THREADS", fmt::format("`{}` is not a number between 1 and 1024", threads));
  }
  return config;
}

Config read_config() {
  const auto environment = [](const char* name) -> const char* { return std::getenv(name); };
  return read_config(environment, std::filesystem::read_symlink("/proc/self/exe"));
}

}  // namespace hone::shared
