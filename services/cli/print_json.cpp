// What --json prints.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "services/cli/command.h"

namespace hone::cli {

// Text from outside may be anything; a byte that is not UTF-8 must not end the command.
void print_json(const nlohmann::json& value) {
  fmt::print("{}\n", value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}
void print_json(const std::vector<nlohmann::json>& values) { print_json(nlohmann::json(values)); }

}  // namespace hone::cli
