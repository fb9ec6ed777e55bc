// Text as it is before it is split.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rl/tokenizer/spec.h"

namespace hone::rl {

/// Applies the steps in order to one piece of valid UTF-8.
std::string normalize(const std::vector<NormalizerStep>& steps, std::string_view text);

/// How long a text of this size may become: steps that each double it would fill any memory.
constexpr std::size_t grown_max(std::size_t size) { return 1024 + 64 * size; }
/// Throws Invalid when `size` is more than `limit`.
void check_grown(std::size_t size, std::size_t limit);

/// Every `from` (not empty) as `to`. Invalid when that makes the text longer than `limit`.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to,
                        std::size_t limit);

}  // namespace hone::rl
