// Text as it is before it is split.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rl/tokenizer/spec.h"

namespace hone::rl {

/// Applies the steps in order to one piece of valid UTF-8.
std::string normalize(const std::vector<NormalizerStep>& steps, std::string_view text);

/// Every `from` (not empty) as `to`.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

}  // namespace hone::rl
