#include "services/server/static_files.h"

#include <fstream>
#include <iterator>

#include "services/server/auth/digest.h"
#include "services/shared/log.h"

namespace hone::server {
namespace {

namespace fs = std::filesystem;
using httpd::Response;
using httpd::http::status;

constexpr std::uintmax_t kFileMax = 16u << 20;

std::string type_of(const fs::path& path) {
  static const std::map<std::string, std::string> types = {
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".json", "application/json"},
      {".map", "application/json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".webp", "image/webp"},
      {".woff2", "font/woff2"},
      {".txt", "text/plain; charset=utf-8"},
      {".webmanifest", "application/manifest+json"},
  };
  const auto found = types.find(path.extension().string());
  return found == types.end() ? "application/octet-stream" : found->second;
}

}  // namespace

StaticFiles::StaticFiles(fs::path folder) : folder_(std::move(folder)), manifest_(read(folder_)) {}

std::shared_ptr<const StaticFiles::Manifest> StaticFiles::read(const fs::path& folder) {
  auto manifest = std::make_shared<Manifest>();
  std::error_code failed;
  manifest->built = fs::last_write_time(folder / "index.html", failed);
  if (failed) return manifest;
  for (auto entry = fs::recursive_directory_iterator(folder, failed);
       !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
    // Links could point anywhere, hidden files are nobody's page.
    if (entry->is_symlink() || entry->path().filename().string().starts_with('.')) {
      entry.disable_recursion_pending();
      continue;
    }
    if (!entry->is_regular_file() || entry->file_size() > kFileMax) continue;
    std::ifstream in(entry->path(), std::ios::binary);
    File file;
    file.bytes.assign(std::istreambuf_iterator<char>(in), {});
    file.content_type = type_of(entry->path());
    file.etag = "\"" + sha256_hex(file.bytes).substr(0, 32) + "\"";
    const auto name = "/" + entry->path().lexically_relative(folder).generic_string();
    file.immutable = name.starts_with("/assets/");  // where the bundler puts hashed names
    manifest->files.emplace(name, std::move(file));
  }
  return manifest;
}

std::shared_ptr<const StaticFiles::Manifest> StaticFiles::current() {
  std::error_code failed;
  const auto now = fs::last_write_time(folder_ / "index.html", failed);
  const std::lock_guard lock(mutex_);
  if (!failed && now != manifest_->built) manifest_ = read(folder_);
  return manifest_;
}

Response StaticFiles::serve(const httpd::Request& request) {
  if (httpd::is_unsafe(request.method)) {
    auto refused = Response::problem(status::method_not_allowed, "the page is only read");
    return refused.with("Allow", "GET, HEAD");
  }
  const auto manifest = current();
  const auto found =
      manifest->files.find(request.path == "/" ? "/index.html" : std::string_view(request.path));
  if (found == manifest->files.end()) {
    if (request.path == "/")
      return Response::problem(status::not_found, "the page is not built; the API is at /api/v1");
    return Response::problem(status::not_found, "there is nothing here");
  }
  const auto& file = found->second;
  Response response(status::ok, "");
  response.with("ETag", file.etag)
      .with("Cache-Control", file.immutable ? "public, max-age=31536000, immutable" : "no-cache");
  if (request.header("if-none-match") == file.etag) {
    response.status = status::not_modified;
    return response;
  }
  response.content_type = file.content_type;
  response.body = file.bytes;
  return response;
}

}  // namespace hone::server
