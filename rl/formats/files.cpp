#include "rl/formats/files.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

// O_NOFOLLOW: a model folder from elsewhere must not point into this machine. O_NONBLOCK: a pipe
// with nobody at its other end would hang the open.
Descriptor open_regular(const std::filesystem::path& path, std::uint64_t& size) {
  Descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (fd.value < 0) {
    if (errno == ENOENT || errno == ENOTDIR)
      throw Error(Code::NotFound, "no such file: " + path.string());
    if (errno == ELOOP)
      throw Error(
          Code::Invalid,
          path.string() + ": is a symbolic link; copy the folder with its contents (cp -rL)");
    throw Error(Code::Invalid, path.string() + ": cannot be opened: " + std::strerror(errno));
  }
  struct stat info {};
  if (::fstat(fd.value, &info) != 0 || !S_ISREG(info.st_mode))
    throw Error(Code::Invalid, path.string() + ": is not a regular file");
  size = static_cast<std::uint64_t>(info.st_size);
  return fd;
}

void write_all(int fd, const void* data, std::size_t size, const std::filesystem::path& path) {
  const auto* next = static_cast<const char*>(data);
  while (size > 0) {
    const auto wrote = ::write(fd, next, size);
    if (wrote < 0) {
      if (errno == EINTR) continue;
      throw Error(Code::Busy, path.string() + ": cannot be written: " + std::strerror(errno));
    }
    next += wrote;
    size -= static_cast<std::size_t>(wrote);
  }
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
      throw std::runtime_error("SHA-256 is not available in this OpenSSL");
  }
  void add(const void* data, std::size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
  std::string hex() {
    std::array<unsigned char, 32> digest{};
    unsigned int length = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &length);
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const auto byte : digest) {
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string read_file(const std::filesystem::path& path, std::uint64_t limit) {
  std::uint64_t size = 0;
  const auto fd = open_regular(path, size);
  if (size > limit)
    throw Error(Code::Invalid, path.string() + ": " + std::to_string(size) +
                                   " bytes, more than the " + std::to_string(limit) +
                                   " allowed for such a file");
  std::string bytes(size, '\0');
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto got = ::read(fd.value, bytes.data() + at, bytes.size() - at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      throw Error(Code::Busy, path.string() + ": cannot be read: " + std::strerror(errno));
    if (got == 0) throw Error(Code::Invalid, path.string() + ": became shorter while it was read");
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

void write_file(const std::filesystem::path& path,
                const std::function<void(const Sink&)>& produce) {
  // The process id and a counter keep two writers of one name apart.
  static std::atomic<unsigned> counter{0};
  auto temporary = path;
  temporary += "." + std::to_string(::getpid()) + "." + std::to_string(counter++) + ".part";
  try {
    {
      Descriptor fd{
          ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644)};
      if (fd.value < 0)
        throw Error(Code::Busy, temporary.string() + ": cannot be made: " + std::strerror(errno));
      produce([&](const void* data, std::size_t size) { write_all(fd.value, data, size, path); });
      if (::fsync(fd.value) != 0)
        throw Error(Code::Busy, path.string() + ": cannot be flushed: " + std::strerror(errno));
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      throw Error(Code::Busy, path.string() + ": cannot be put in place: " + std::strerror(errno));
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  write_file(path, [&](const Sink& sink) { sink(bytes.data(), bytes.size()); });
}

void flush_folder(const std::filesystem::path& dir) {
  const Descriptor fd{::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (fd.value < 0 || ::fsync(fd.value) != 0)
    throw Error(Code::Busy, dir.string() + ": cannot be flushed: " + std::strerror(errno));
}

std::string sha256_of_file(const std::filesystem::path& path) {
  std::uint64_t size = 0;
  const auto fd = open_regular(path, size);
  ::posix_fadvise(fd.value, 0, 0, POSIX_FADV_SEQUENTIAL);
  Sha256 hash;
  std::vector<char> buffer(1 << 20);
  while (true) {
    const auto got = ::read(fd.value, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      throw Error(Code::Busy, path.string() + ": cannot be read: " + std::strerror(errno));
    if (got == 0) return hash.hex();
    hash.add(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::string sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes.data(), bytes.size());
  return hash.hex();
}

Mapping::Mapping(const std::filesystem::path& path) {
  const auto fd = open_regular(path, size_);
  if (size_ == 0) return;
  void* const at = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.value, 0);
  if (at == MAP_FAILED)
    throw Error(Code::Busy, path.string() + ": cannot be mapped: " + std::strerror(errno));
  data_ = static_cast<const std::uint8_t*>(at);
}

void Mapping::forget(const std::uint8_t* from, std::uint64_t bytes) const {
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  // Whole pages of them; those at the ends hold others' bytes too.
  const auto begin = (static_cast<std::uint64_t>(from - data_) + page - 1) / page * page,
             end = (static_cast<std::uint64_t>(from - data_) + bytes) / page * page;
  if (begin < end) ::madvise(const_cast<std::uint8_t*>(data_) + begin, end - begin, MADV_DONTNEED);
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

}  // namespace hone::rl
