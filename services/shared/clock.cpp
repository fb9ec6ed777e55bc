#include "services/shared/clock.h"

#include <fmt/chrono.h>
#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace hone::shared {

std::chrono::system_clock::time_point SystemClock::now() const {
  return std::chrono::system_clock::now();
}

void SystemRandom::fill(void* bytes, std::size_t count) {
  auto* at = static_cast<unsigned char*>(bytes);
  while (count > 0) {
    const auto got = getrandom(at, count, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      throw std::system_error(errno, std::generic_category(), "getrandom");
    }
    at += got;
    count -= static_cast<std::size_t>(got);
  }
}

std::string to_rfc3339(std::chrono::system_clock::time_point at) {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03d}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(at)), ms % 1000);
}

}  // namespace hone::shared
