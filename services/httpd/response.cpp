#include "services/httpd/response.h"

#include "services/httpd/target.h"

namespace hone::httpd {

Response Response::problem(http::status status, Problem problem) {
  Response response;
  response.status = status;
  response.body = std::move(problem);
  return response;
}

Response Response::problem(http::status status, std::string detail, std::string code) {
  Problem problem;
  problem.detail = std::move(detail);
  problem.code = std::move(code);
  return Response::problem(status, std::move(problem));
}

Response Response::file(std::filesystem::path path, std::string content_type,
                        const std::string& download_name) {
  Response response;
  response.body = FileBody{std::move(path)};
  response.content_type = std::move(content_type);
  if (!download_name.empty()) response.with("Content-Disposition", attachment(download_name));
  return response;
}

Response Response::stream(Generator generate, std::string content_type,
                          std::optional<std::uint64_t> length) {
  Response response;
  response.body = StreamBody{std::move(generate), length};
  response.content_type = std::move(content_type);
  return response;
}

std::string attachment(const std::string& name) {
  // RFC 6266: a plain ASCII name for old clients, the exact one percent-encoded beside it.
  std::string plain;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool safe =
        byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\' && c != '/' && c != '%' && c != ';';
    plain += safe ? c : '_';
  }
  return "attachment; filename=\"" + plain + "\"; filename*=UTF-8''" + percent_encode(name);
}

}  // namespace hone::httpd
