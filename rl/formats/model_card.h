// README.md of a published folder.
#pragma once

#include <string>
#include <string_view>

#include "rl/formats/export.h"

namespace hone::rl {

/// Markdown under a YAML front matter. `library` is "transformers" or "peft". Invalid when the
/// lineage is no JSON object.
std::string write_model_card(const ModelCard& card, const Base& base, std::string_view library);

}  // namespace hone::rl
