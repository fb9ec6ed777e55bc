#include "storage/artifacts/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "feedback/base/error.h"
#include "storage/artifacts/sha256.h"
#include "storage/ids.h"

namespace hone::storage {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const char* what) {
  const int why = errno;
  throw Error(Code::Busy,
              std::string("the artifact store cannot ") + what + ": " + std::strerror(why));
}

/// An open file. Closing is not where a write is found to have failed: fsync is.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("write");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void sync_folder(const fs::path& folder) {
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) fail("save a folder");
}

bool is_sha256(const std::string& text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

fs::path place_of(const fs::path& root, const std::string& sha256) {
  if (!is_sha256(sha256)) throw Error(Code::Invalid, "an artifact is named by 64 hex digits");
  return root / "sha256" / sha256.substr(0, 2) / sha256;
}

/// A file in tmp/ that removes itself unless it became an artifact.
class Temporary {
 public:
  explicit Temporary(const fs::path& root) : root_(root), path_(root / "tmp" / new_uuid()) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() { ::unlink(path_.c_str()); }
  const fs::path& path() const { return path_; }

  /// Gives it its name. Somebody else may have been faster: same name, same bytes.
  void become(const std::string& sha256) {
    const auto place = place_of(root_, sha256);
    if (fs::exists(place)) return;
    if (fs::create_directory(place.parent_path())) sync_folder(place.parent_path().parent_path());
    if (::rename(path_.c_str(), place.c_str()) != 0) fail("name an artifact");
    sync_folder(place.parent_path());
  }

 private:
  fs::path root_;
  fs::path path_;
};

Descriptor create(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
  if (fd < 0) fail("make a file");
  return Descriptor(fd);
}

Descriptor open_source(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat about {};
  if (fd < 0 || ::fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
    if (fd >= 0) ::close(fd);
    throw Error(Code::NotFound, "cannot read the file " + file.filename().string());
  }
  return Descriptor(fd);
}

/// Reads `from` to its end; each piece goes to `use`. The number of bytes.
template <class Use>
std::int64_t read_through(int from, Use use) {
  std::vector<char> buffer(1 << 20);
  std::int64_t bytes = 0;
  while (true) {
    const ssize_t n = ::read(from, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("read");
    if (n == 0) return bytes;
    use(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
    bytes += n;
  }
}

}  // namespace

ArtifactStore::ArtifactStore(fs::path root) : root_(std::move(root)) {
  std::error_code error;
  fs::create_directories(root_ / "sha256", error);
  if (!error) fs::create_directories(root_ / "tmp", error);
  if (error)
    throw Error(Code::Busy, "the artifact store's folder cannot be made: " + error.message());
}

Blob ArtifactStore::put_bytes(std::string_view bytes) {
  const Blob blob{sha256_hex(bytes), static_cast<std::int64_t>(bytes.size())};
  if (exists(blob.sha256)) return blob;
  Temporary temporary(root_);
  const auto fd = create(temporary.path());
  write_all(fd.get(), bytes);
  if (::fsync(fd.get()) != 0) fail("save");
  temporary.become(blob.sha256);
  return blob;
}

Blob ArtifactStore::put_file(const fs::path& file) {
  const auto source = open_source(file);
  Temporary temporary(root_);
  const auto fd = create(temporary.path());
  Sha256 hash;
  Blob blob;
  blob.bytes = read_through(source.get(), [&](std::string_view piece) {
    hash.update(piece);
    write_all(fd.get(), piece);
  });
  if (::fsync(fd.get()) != 0) fail("save");
  blob.sha256 = hash.hex();
  temporary.become(blob.sha256);
  return blob;
}

Blob ArtifactStore::adopt(const fs::path& file) {
  Temporary temporary(root_);
  // A symbolic link would be linked itself and a foreign owner's file may refuse: both are copied.
  if (fs::is_symlink(file) || ::link(file.c_str(), temporary.path().c_str()) != 0)
    return put_file(file);
  const auto fd = open_source(temporary.path());
  Sha256 hash;
  Blob blob;
  blob.bytes = read_through(fd.get(), [&](std::string_view piece) { hash.update(piece); });
  blob.sha256 = hash.hex();
  if (::fsync(fd.get()) != 0) fail("save");
  ::chmod(temporary.path().c_str(), 0444);
  temporary.become(blob.sha256);
  return blob;
}

bool ArtifactStore::exists(const std::string& sha256) const {
  return fs::is_regular_file(place_of(root_, sha256));
}

fs::path ArtifactStore::path(const std::string& sha256) const {
  auto place = place_of(root_, sha256);
  if (!fs::is_regular_file(place))
    throw Error(Code::NotFound, "the store has no artifact " + sha256);
  return place;
}

std::int64_t ArtifactStore::size(const std::string& sha256) const {
  return static_cast<std::int64_t>(fs::file_size(path(sha256)));
}

std::string ArtifactStore::read(const std::string& sha256) const {
  const auto source = open_source(path(sha256));
  std::string bytes;
  read_through(source.get(), [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

bool ArtifactStore::verify(const std::string& sha256) const {
  return sha256_file_hex(path(sha256)) == sha256;
}

int ArtifactStore::remove_leftovers(std::chrono::seconds age) {
  int removed = 0;
  const auto limit = fs::file_time_type::clock::now() - age;
  for (const auto& entry : fs::directory_iterator(root_ / "tmp")) {
    std::error_code error;
    if (entry.last_write_time(error) <= limit && !error && fs::remove(entry.path(), error))
      ++removed;
  }
  return removed;
}

}  // namespace hone::storage
