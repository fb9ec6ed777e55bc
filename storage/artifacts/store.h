// Content-addressed bytes on a file system: an artifact's name is the SHA-256 of its content, so a
// request never names a path and nothing is ever overwritten.
//   <root>/sha256/ab/abcdef...   the artifacts, read-only
//   <root>/tmp/                  what is being written; whatever a crash left there is garbage
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace hone::storage {

struct Blob {
  std::string sha256;
  std::int64_t bytes = 0;
};

/// Any thread, any number of processes on one root. An artifact is there whole or not at all:
/// temporary file, fsync, rename, fsync of the folder. Throws hone::Error{Busy} when the disk is
/// full or fails; a failed fsync voids the write.
class ArtifactStore {
 public:
  explicit ArtifactStore(std::filesystem::path root);

  Blob put_bytes(std::string_view bytes);
  /// Copies the file in. NotFound when it cannot be read.
  Blob put_file(const std::filesystem::path& file);
  /// Takes a finished file that nobody will write to again: a hard link where it lies on the same
  /// file system, else a copy. The file itself stays.
  Blob adopt(const std::filesystem::path& file);

  bool exists(const std::string& sha256) const;
  /// Where the bytes lie, for reading. NotFound when there is no such artifact, Invalid when
  /// `sha256` is not 64 hex digits.
  std::filesystem::path path(const std::string& sha256) const;
  std::int64_t size(const std::string& sha256) const;
  /// The whole content; for small ones.
  std::string read(const std::string& sha256) const;
  /// Reads everything again: false when the bytes are not those of the name.
  bool verify(const std::string& sha256) const;
  /// Removes what writers that died left in tmp/, older than `age`. Returns how many.
  int remove_leftovers(std::chrono::seconds age = std::chrono::hours(24));

  const std::filesystem::path& root() const { return root_; }

 private:
  std::filesystem::path root_;
};

}  // namespace hone::storage
