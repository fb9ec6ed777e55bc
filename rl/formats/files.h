// Files as bytes: whole reads with a bound, writes that are there whole or not at all, mappings,
// hashes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace hone::rl {

/// The file's bytes. NotFound when it is not there; Invalid when it is no regular file (a symbolic
/// link is not), or is longer than `limit`.
std::string read_file(const std::filesystem::path& path, std::uint64_t limit);

/// Writes beside `path`, flushes to the disk and renames. `produce` is handed a sink for the bytes.
void write_file(const std::filesystem::path& path, std::string_view bytes);
using Sink = std::function<void(const void* data, std::size_t size)>;
void write_file(const std::filesystem::path& path, const std::function<void(const Sink&)>& produce);

/// Flushes a folder's entries to the disk: what was renamed into it stays.
void flush_folder(const std::filesystem::path& dir);

/// Lower-case hex SHA-256 of a file, streamed; and of bytes.
std::string sha256_of_file(const std::filesystem::path& path);
std::string sha256_of(std::string_view bytes);

/// A file mapped read-only for the object's life. Refuses what read_file refuses.
class Mapping {
 public:
  explicit Mapping(const std::filesystem::path& path);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  const std::uint8_t* data() const { return data_; }
  std::uint64_t size() const { return size_; }
  /// That these bytes were read and are not wanted soon: a process that loads a model does not hold
  /// its file beside it. They can be read again.
  void forget(const std::uint8_t* from, std::uint64_t bytes) const;

 private:
  const std::uint8_t* data_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace hone::rl
