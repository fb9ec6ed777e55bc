// Hone's HTTP API from the command line: libcurl, one token, clear errors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace hone::cli {

/// One server and one token. Not for several threads. Every call has a time limit; a server that
/// cannot be reached throws Error{Busy}, a reply that says no throws Error with what it said.
class HttpClient {
 public:
  /// `url` without a trailing slash. Throws Error{Invalid} unless it is http(s) with a host.
  HttpClient(std::string url, std::string token);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  const std::string& url() const { return url_; }

  /// Paths begin with "/api/v1".
  nlohmann::json get(const std::string& path);
  nlohmann::json post(const std::string& path, const nlohmann::json& body);
  /// The bytes of a file as the request's body, read while they are sent.
  nlohmann::json post_file(const std::string& path, const std::string& content_type,
                           const std::filesystem::path& file);
  /// All pages of a list.
  std::vector<nlohmann::json> list(const std::string& path);
  /// Into `file`, by way of a temporary name beside it: it exists whole or not at all.
  /// `on_progress` gets bytes so far and in all (0 = not known).
  void download(const std::string& path, const std::filesystem::path& file,
                const std::function<void(std::int64_t, std::int64_t)>& on_progress);
  /// An event stream; returns when it ends or breaks. `on_bytes` returns false to stop.
  void stream(const std::string& path, const std::function<bool(std::string_view)>& on_bytes);

 private:
  struct Call;
  nlohmann::json perform(Call& call);
  std::string url_, token_;
};

/// Percent-encodes one path segment or query value.
std::string encode(std::string_view text);

}  // namespace hone::cli
