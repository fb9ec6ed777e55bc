// What a handler answers with: text, a problem, a file (ranges included) or a generated stream.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "services/httpd/net.h"

namespace hone::httpd {

/// A refusal or failure, sent as `application/problem+json`. `detail` is read by the caller.
struct Problem {
  struct Item {
    std::string pointer;
    std::int64_t line = 0;  ///< 0 when not about a line
    std::string detail;
  };
  std::string detail;
  std::string code;         ///< one stable word for programs; empty = derived from the status
  std::vector<Item> items;  ///< the body's `errors`
  std::string extra;        ///< further members as a JSON object's text, or empty
};

/// A file sent as it lies on disk. It may be deleted once the response was handed over: it is
/// opened before the handler's caller returns. A `Range` of the request is honoured.
struct FileBody {
  std::filesystem::path path;
};

/// Where a stream's generator writes. Every write waits until the client has taken the bytes, so
/// what is pending for one client is one piece; a client that takes none for 30 s is dropped.
class Sink {
 public:
  virtual ~Sink() = default;
  /// False when the client has gone or the server is stopping: return then.
  virtual net::awaitable<bool> write(std::string bytes) = 0;
  virtual bool open() const = 0;
};

/// Produces a body while it is sent. Returning ends the response; throwing cuts it short, which
/// the client can tell from the whole one (a chunked body without its end, or too few bytes).
using Generator = std::function<net::awaitable<void>(Sink&)>;

struct StreamBody {
  Generator generate;
  std::optional<std::uint64_t> length;  ///< known size, or chunked
};

struct Response {
  http::status status = http::status::ok;
  std::variant<std::string, Problem, FileBody, StreamBody> body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;

  Response() = default;
  /// A JSON reply from its text.
  Response(http::status status_in, std::string json) : status(status_in), body(std::move(json)) {}

  Response& with(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }

  /// 204, no body.
  static Response none() { return Response(http::status::no_content, ""); }
  static Response problem(http::status status, Problem problem);
  static Response problem(http::status status, std::string detail, std::string code = {});
  /// Content-Disposition: attachment, with the name made safe.
  static Response file(std::filesystem::path path, std::string content_type,
                       const std::string& download_name);
  static Response stream(Generator generate, std::string content_type,
                         std::optional<std::uint64_t> length = std::nullopt);
};

/// `attachment; filename="..."; filename*=UTF-8''...` that no name can break out of.
std::string attachment(const std::string& name);

}  // namespace hone::httpd
