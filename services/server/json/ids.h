// Ids from the path: text that is no id is simply not found.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "feedback/base/error.h"
#include "feedback/base/id.h"
#include "services/httpd/request.h"
#include "services/shared/json.h"

namespace hone::server {

/// The `{name}` of the route as an id, in lower case. NotFound when it is not a UUID.
template <class Tag>
Id<Tag> param_id(const httpd::Request& request, std::string_view name) {
  std::string text = request.param(name);
  if (!shared::is_uuid(text)) throw Error(Code::NotFound, "there is no such thing here");
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return Id<Tag>{text};
}

}  // namespace hone::server
