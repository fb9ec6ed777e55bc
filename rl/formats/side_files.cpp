#include "rl/formats/side_files.h"

#include <nlohmann/json.hpp>

#include "rl/tokenizer/tokenizer.h"

namespace hone::rl {

using nlohmann::ordered_json;

std::vector<Base::File> generate_side_files(const ModelConfig& config, const Tokenizer& tokenizer,
                                            const std::map<std::string, std::string>& variables,
                                            const std::string& chat_template) {
  std::vector<Base::File> files;
  const auto add = [&](const std::string& name, std::string bytes) {
    files.push_back({name, std::move(bytes), true});
  };
  add("tokenizer.json", tokenizer.to_json());

  // The class every version of transformers knows; version 5 would write its backend's own name.
  ordered_json tokens = ordered_json::object();
  for (const auto& [name, token] : variables) tokens[name] = token;
  ordered_json settings = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                           {"clean_up_tokenization_spaces", false},
                           {"model_max_length", config.max_position_embeddings}};
  settings.update(tokens);
  if (!chat_template.empty()) settings["chat_template"] = chat_template;
  add("tokenizer_config.json", settings.dump(2) + "\n");
  add("special_tokens_map.json", tokens.dump(2) + "\n");
  add("generation_config.json", write_generation_config_json(config));
  if (!chat_template.empty()) add("chat_template.jinja", chat_template);
  return files;
}

}  // namespace hone::rl
