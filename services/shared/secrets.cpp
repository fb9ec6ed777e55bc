#include "services/shared/secrets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "feedback/base/error.h"
#include "services/shared/clock.h"

namespace hone::shared {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const char* what) {
  throw std::system_error(errno, std::generic_category(),
                          fmt::format("{} {}", what, path.string()));
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

std::string read_secret(const fs::path& path, std::size_t bytes) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (file.fd < 0) fail(path, "open");
  struct stat about {};
  if (fstat(file.fd, &about) != 0) fail(path, "stat");
  if ((about.st_mode & 077) != 0)
    throw Error(
        Code::Invalid,
        fmt::format("{} can be read by others: chmod 600 it, or delete it to have a new one drawn",
                    path.string()));
  std::string value(bytes + 1, '\0');
  const auto got = ::read(file.fd, value.data(), value.size());
  if (got < 0) fail(path, "read");
  if (static_cast<std::size_t>(got) != bytes)
    throw Error(Code::Invalid,
                fmt::format("{} does not hold {} bytes: delete it to have a new one drawn",
                            path.string(), bytes));
  value.resize(bytes);
  return value;
}

}  // namespace

Secret read_or_make_secret(const fs::path& folder, const std::string& name, std::size_t bytes) {
  fs::create_directories(folder);
  fs::permissions(folder, fs::perms::owner_all);
  const auto path = folder / name;
  if (fs::exists(path)) return Secret(read_secret(path, bytes));

  std::string value(bytes, '\0');
  SystemRandom().fill(value.data(), value.size());
  const auto temporary = folder / fmt::format(".{}.{}", name, ::getpid());
  {
    const Descriptor file{
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (file.fd < 0) fail(temporary, "create");
    if (::write(file.fd, value.data(), value.size()) != static_cast<ssize_t>(value.size()))
      fail(temporary, "write");
    if (::fsync(file.fd) != 0) fail(temporary, "fsync");
  }
  // link() fails when another program was first, and then its secret is the one.
  const int linked = ::link(temporary.c_str(), path.c_str());
  const int why = errno;
  ::unlink(temporary.c_str());
  if (linked != 0 && why != EEXIST) {
    errno = why;
    fail(path, "link");
  }
  return Secret(read_secret(path, bytes));
}

}  // namespace hone::shared
