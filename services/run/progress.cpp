#include "services/run/progress.h"

#include <unistd.h>

#include <cstdio>

namespace hone::run {
namespace {

constexpr double kSilent = 2;  // seconds

}  // namespace

void Progress::operator()(std::int64_t done, std::int64_t total) {
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const auto now = Clock::now();
  const double spent = std::chrono::duration<double>(now - start_).count();
  const double since = std::chrono::duration<double>(now - told_).count();
  if (spent < kSilent || since < (terminal ? 0.2 : 5.0) || done <= 0 || total <= 0) return;
  const double share = static_cast<double>(done) / static_cast<double>(total);
  std::fprintf(stderr, "%s%s  %.0f %%, %.0f s left%s", terminal ? "\r\x1b[K" : "", what_.c_str(),
               100 * share, spent * (1 - share) / share, terminal ? "" : "\n");
  std::fflush(stderr);
  told_ = now;
  shown_ = true;
}

Progress::~Progress() {
  if (shown_ && ::isatty(STDERR_FILENO) != 0) std::fputs("\r\x1b[K", stderr);
}

}  // namespace hone::run
