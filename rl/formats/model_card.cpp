#include "rl/formats/model_card.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "rl/formats/json.h"

namespace hone::rl {
namespace {

// A JSON string is a YAML string.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string one_line(std::string text) {
  for (auto& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return text;
}

std::string usage(std::string_view library, const ModelConfig& config) {
  const bool score = config.output == Output::Score;
  // Not the base's own, which may be the end token: the score would be read one token early.
  const auto pad = config.pad_token_id ? std::to_string(*config.pad_token_id) : "None";
  const std::string kind = score ? "SequenceClassification" : "CausalLM";
  if (library == "peft")
    return fmt::format(
        "from peft import AutoPeftModelFor{0}\n\n"
        "model = AutoPeftModelFor{0}.from_pretrained(\"path/to/this/folder\"{1})\n",
        kind, score ? ", num_labels=1, pad_token_id=" + pad : "");
  return fmt::format(
      "from transformers import AutoModelFor{0}, AutoTokenizer\n\n"
      "tokenizer = AutoTokenizer.from_pretrained(\"path/to/this/folder\")\n"
      "model = AutoModelFor{0}.from_pretrained(\"path/to/this/folder\")\n",
      kind);
}

}  // namespace

std::string write_model_card(const ModelCard& card, const Base& base, std::string_view library) {
  parse_json(card.lineage, "lineage");  // under the limits, duplicate keys refused
  const auto lineage = nlohmann::ordered_json::parse(card.lineage);
  if (!lineage.is_object()) refuse("lineage", "", "a JSON object is wanted");

  std::string text = "---\n";
  text += fmt::format("base_model: {}\n",
                      quoted(card.base_model.empty() ? base.name : card.base_model));
  text += fmt::format("base_model_relation: {}\n", library == "peft" ? "adapter" : "finetune");
  text += fmt::format("library_name: {}\n", library);
  text +=
      fmt::format("pipeline_tag: {}\n",
                  base.config.output == Output::Score ? "text-classification" : "text-generation");
  if (!base.license.empty()) text += fmt::format("license: {}\n", quoted(base.license));
  text += "tags:\n- hone\n";
  for (const auto& tag : card.tags) text += fmt::format("- {}\n", quoted(tag));
  text += "---\n\n";

  text += fmt::format("# {}\n\n", one_line(card.name));
  if (!card.summary.empty()) text += card.summary + "\n\n";
  text += "## Base\n\n";
  text += fmt::format("{}, sha256 `{}`.\n", one_line(base.description), base.sha256);
  if (base.quantised)
    text +=
        "Its weights were read from a quantised file: they are the dequantised values, not those "
        "the base was first published with.\n";
  bool generated = false;
  for (const auto& file : base.side_files) generated = generated || file.generated;
  if (generated)
    text += "The tokenizer and generation files were written from the keys of that file.\n";
  text += fmt::format("\n## Use\n\n```python\n{}```\n", usage(library, base.config));
  text += fmt::format("\n## Lineage\n\n```json\n{}\n```\n", lineage.dump(2));
  return text;
}

}  // namespace hone::rl
