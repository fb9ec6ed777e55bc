// One HTTP request, decoded once: whoever reads it decodes nothing again.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hone::httpd {

enum class Method { Get, Head, Post, Put, Patch, Delete };

std::string_view to_string(Method method);

/// True for the methods that may change something; these need a CSRF proof when a cookie signs in.
inline bool is_unsafe(Method method) { return method != Method::Get && method != Method::Head; }

/// A file that is deleted with its last owner, unless it was moved away before.
class TempFile {
 public:
  explicit TempFile(std::filesystem::path path) : path_(std::move(path)) {}
  ~TempFile();
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Values only; copied freely, except that copies share one uploaded file.
struct Request {
  std::string id;  ///< names this request in replies and in the log
  Method method = Method::Get;
  std::string target;  ///< as it was sent: path, `?`, query
  std::string path;    ///< decoded; no `..`, no empty segment but a last one, no control characters
  std::string peer;    ///< the client's address; the proxy's word for it when the proxy is trusted
  std::chrono::steady_clock::time_point began;

  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::vector<std::pair<std::string, std::string>> query;    ///< decoded, in order
  std::vector<std::pair<std::string, std::string>> params;   ///< from the route's `{name}`s

  std::string body;                ///< of a route with Body::Json
  std::shared_ptr<TempFile> file;  ///< of a route with Body::File

  /// The header's value, empty when absent. `name` in lower case.
  std::string_view header(std::string_view name) const;
  /// The value of `?name=`: the first one given.
  std::optional<std::string> find_query(std::string_view name) const;
  /// The part of the path that stood at `{name}`. The route must have that name.
  const std::string& param(std::string_view name) const;
  /// The value of one cookie, empty when absent.
  std::string_view cookie(std::string_view name) const;
};

}  // namespace hone::httpd
