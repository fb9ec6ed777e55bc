// Small readers that every handler needs: ids in a path, JSON that storage keeps as text.
#pragma once

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "feedback/base/error.h"
#include "services/httpd/request.h"
#include "services/shared/json.h"

namespace hone::server {

/// The id that stands in the path. What is no id names nothing: NotFound.
template <class IdType>
IdType path_id(const httpd::Request& request, std::string_view name) {
  std::string text = request.param(name);
  if (!shared::is_uuid(text)) throw Error(Code::NotFound, "there is no such object");
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return IdType{text};
}

/// `?name=<id>`; Invalid for anything else.
template <class IdType>
std::optional<IdType> query_id(const httpd::Request& request, std::string_view name) {
  auto text = request.find_query(name);
  if (!text || text->empty()) return std::nullopt;
  if (!shared::is_uuid(*text))
    throw Error(Code::Invalid, "must be an id (a UUID)", std::string(name));
  std::transform(text->begin(), text->end(), text->begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return IdType{*text};
}

/// A column of JSON; empty is null. The database holds nothing that does not parse.
inline nlohmann::json stored_json(const std::string& text) {
  return text.empty() ? nlohmann::json(nullptr) : nlohmann::json::parse(text);
}

/// The value, or null.
template <class T>
nlohmann::json or_null(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

/// Where the page after this one begins: the id of its last item.
template <class List>
std::optional<std::string> next_of(const List& list) {
  if (!list.has_more || list.data.empty()) return std::nullopt;
  return list.data.back().id.value;
}

/// The Idempotency-Key of a route that cannot do without one: 16 to 128 printable characters.
inline std::string required_key(const httpd::Request& request) {
  const auto key = request.header("idempotency-key");
  const bool printable =
      std::all_of(key.begin(), key.end(), [](unsigned char c) { return c > 32 && c < 127; });
  if (key.size() < 16 || key.size() > 128 || !printable)
    throw Error(Code::Invalid,
                "the header Idempotency-Key is required: 16 to 128 printable characters, "
                "new for every answer, the same for a resend",
                "Idempotency-Key");
  return std::string(key);
}

}  // namespace hone::server
