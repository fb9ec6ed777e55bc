// The functions a template may call by name.
#pragma once

#include <deque>
#include <optional>
#include <string_view>

#include "rl/chat/chat_template.h"
#include "rl/chat/site.h"

namespace hone::rl::chat {

std::optional<Function> function_named(std::string_view name);

/// What the functions need of the rendering that calls them.
struct Surroundings {
  std::optional<RenderTime> now;
  std::deque<Namespace> namespaces;  ///< all that were made, where values point to them
};

/// function(arguments). raise_exception throws what the template says.
Value call(const Site& site, Function function, const Arguments& arguments,
           Surroundings& surroundings);

}  // namespace hone::rl::chat
