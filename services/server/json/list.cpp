#include "services/server/json/list.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/server/auth/digest.h"

namespace hone::server {
namespace {

// Half the HMAC is plenty: a cursor opens no door, the signature only keeps its form ours.
constexpr std::size_t kSignature = 16;

std::string sign(const App& app, const std::string& text) {
  return hmac_hex(app.cursor_key.reveal(), "cursor:" + text).substr(0, kSignature);
}

}  // namespace

storage::Page page_asked(const App& app, const httpd::Request& request) {
  storage::Page page;
  if (const auto limit = request.find_query("limit")) {
    const auto [end, failed] =
        std::from_chars(limit->data(), limit->data() + limit->size(), page.limit);
    if (failed != std::errc() || end != limit->data() + limit->size() || page.limit < 1 ||
        page.limit > 200)
      throw Error(Code::Invalid, "limit must be between 1 and 200", "limit");
  }
  if (const auto cursor = request.find_query("cursor"); cursor && !cursor->empty()) {
    const auto text = cursor->size() > kSignature ? cursor->substr(kSignature) : std::string();
    if (text.empty() || !same_secret(cursor->substr(0, kSignature), sign(app, text)))
      throw Error(Code::Invalid, "cursor is not one that this server gave out", "cursor");
    page.after = text;
  }
  return page;
}

httpd::Response reply_list(const App& app, nlohmann::json data, std::optional<std::string> next) {
  nlohmann::ordered_json body;
  body["data"] = std::move(data);
  body["has_more"] = next.has_value();
  body["next"] =
      next ? nlohmann::ordered_json(sign(app, *next) + *next) : nlohmann::ordered_json(nullptr);
  return httpd::Response(httpd::http::status::ok, body.dump());
}

}  // namespace hone::server
