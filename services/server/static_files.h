// The built page, held in memory: a request can only name what was found at start, so no name in a
// request is ever a path on disk.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "services/httpd/request.h"
#include "services/httpd/response.h"

namespace hone::server {

/// Any thread. Reads the folder again when its index.html changed, so a rebuilt page needs no
/// restart.
class StaticFiles {
 public:
  explicit StaticFiles(std::filesystem::path folder);

  /// GET or HEAD of `/` (index.html) or a file of the page; 404 otherwise.
  httpd::Response serve(const httpd::Request& request);

 private:
  struct File {
    std::string bytes, content_type, etag;
    bool immutable = false;  ///< its name carries its content's hash
  };
  struct Manifest {
    std::filesystem::file_time_type built;
    std::map<std::string, File, std::less<>> files;  ///< by request path
  };
  std::shared_ptr<const Manifest> current();
  static std::shared_ptr<const Manifest> read(const std::filesystem::path& folder);

  std::filesystem::path folder_;
  std::mutex mutex_;
  std::shared_ptr<const Manifest> manifest_;
};

}  // namespace hone::server
