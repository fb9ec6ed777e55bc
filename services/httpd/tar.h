// A tar archive (POSIX ustar) generated while it is sent: nothing is written to disk first.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "services/httpd/response.h"

namespace hone::httpd {

struct TarEntry {
  std::string name;            ///< path inside the archive, relative; at most 255 bytes
  std::filesystem::path path;  ///< the file that holds its bytes
  std::uint64_t bytes = 0;     ///< the file's size; a file that then differs cuts the stream short
};

/// Throws Error{Invalid} for a name that ustar cannot hold. The total length is known beforehand.
Response tar_response(std::vector<TarEntry> entries, const std::string& download_name);

/// The 512-byte header of one regular file.
std::string tar_header(const TarEntry& entry);

}  // namespace hone::httpd
