// The tokenizer and generation files that stand beside a model's weights.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "rl/formats/base.h"

namespace hone::rl {

/// Written from a GGUF's keys, for a base that has none: tokenizer.json, tokenizer_config.json,
/// special_tokens_map.json, generation_config.json and, with a template, chat_template.jinja.
/// `variables` are the named tokens (bos_token, eos_token ...).
std::vector<Base::File> generate_side_files(const ModelConfig& config, const Tokenizer& tokenizer,
                                            const std::map<std::string, std::string>& variables,
                                            const std::string& chat_template);

}  // namespace hone::rl
