#include "services/httpd/tar.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>

#include "feedback/base/error.h"

namespace hone::httpd {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kPiece = 64 * 1024;

std::uint64_t padded(std::uint64_t bytes) { return (bytes + kBlock - 1) / kBlock * kBlock; }

// ustar has 100 bytes for the name and 155 for a prefix that ends at a slash.
std::pair<std::string, std::string> split_name(const std::string& name) {
  if (name.empty() || name.front() == '/')
    throw Error(Code::Invalid, "an archive holds relative names only");
  if (name.size() <= 100) return {"", name};
  for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
    if (slash <= 155 && name.size() - slash - 1 <= 100)
      return {name.substr(0, slash), name.substr(slash + 1)};
  throw Error(Code::Invalid, fmt::format("the name {} is too long for a tar archive", name));
}

struct File {
  int fd;
  explicit File(const std::filesystem::path& path)
      : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd >= 0) ::close(fd);
  }
};

net::awaitable<void> write_archive(std::vector<TarEntry> entries, Sink& sink) {
  for (const auto& entry : entries) {
    const File file(entry.path);
    if (file.fd < 0) throw Error(Code::NotFound, "a file of the archive is gone");
    if (!co_await sink.write(tar_header(entry))) co_return;
    for (std::uint64_t sent = 0; sent < entry.bytes;) {
      std::string piece(std::min<std::uint64_t>(kPiece, entry.bytes - sent), '\0');
      const auto got = ::pread(file.fd, piece.data(), piece.size(), static_cast<off_t>(sent));
      if (got <= 0) throw Error(Code::Conflict, "a file of the archive is shorter than it was");
      piece.resize(static_cast<std::size_t>(got));
      sent += static_cast<std::uint64_t>(got);
      if (!co_await sink.write(std::move(piece))) co_return;
    }
    if (const auto rest = padded(entry.bytes) - entry.bytes; rest > 0)
      if (!co_await sink.write(std::string(rest, '\0'))) co_return;
  }
  co_await sink.write(std::string(2 * kBlock, '\0'));
}

}  // namespace

std::string tar_header(const TarEntry& entry) {
  const auto [prefix, name] = split_name(entry.name);
  if (entry.bytes > 077777777777ULL)
    throw Error(Code::Invalid, "a tar archive holds files up to 8 GB; download this one alone");
  std::string block(kBlock, '\0');
  const auto put = [&block](std::size_t at, const std::string& text) {
    std::memcpy(block.data() + at, text.data(), text.size());
  };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", entry.bytes));
  put(136, "00000000000");  // no time: the same files give the same archive
  put(148, "        ");     // the checksum counts itself as spaces
  put(156, "0");
  put(257, std::string("ustar\0"
                       "00",
                       8));
  put(345, prefix);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return block;
}

Response tar_response(std::vector<TarEntry> entries, const std::string& download_name) {
  std::uint64_t length = 2 * kBlock;
  for (const auto& entry : entries) {
    tar_header(entry);  // refuses bad names before the first byte
    length += kBlock + padded(entry.bytes);
  }
  Generator generate = [entries = std::move(entries)](Sink& sink) {
    return write_archive(entries, sink);
  };
  auto response = Response::stream(std::move(generate), "application/x-tar", length);
  response.with("Content-Disposition", attachment(download_name));
  return response;
}

}  // namespace hone::httpd
