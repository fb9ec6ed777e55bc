#include "rl/formats/base.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "feedback/base/error.h"
#include "rl/chat/chat_template.h"
#include "rl/formats/files.h"
#include "rl/formats/gguf_model.h"
#include "rl/formats/json.h"
#include "rl/formats/safetensors.h"
#include "rl/formats/side_files.h"
#include "rl/tokenizer/tokenizer.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;

using Variables = std::map<std::string, std::string>;

constexpr const char* kReward = "reward model (one score, no vocabulary)";
constexpr const char* kLanguage = "language model";
constexpr std::uint64_t kJsonMax = 100'000'000;
constexpr std::uint64_t kTextMax = 4'000'000;

// Names of the files that travel with the weights, byte for byte. Never code (.py) and never other
// people's weights.
constexpr std::array<std::string_view, 15> kTravelling = {
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "NOTICE",
    "NOTICE.txt",
};

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

// Every weight of the shape is there, as it should be, and nothing else is: a tensor that nobody
// reads would be a model that is not the one its author published.
void check_weights(const ModelConfig& config, const TensorSource& weights,
                   const std::string& label) {
  std::map<std::string, const TensorInfo*> found;
  for (const auto& info : weights.tensors()) found.emplace(info.name, &info);
  for (const auto& [name, shape] : expected_weights(config)) {
    const auto entry = found.find(name);
    if (entry == found.end())
      refuse(label, name, "is missing: the shape that the configuration names has this tensor");
    if (entry->second->shape != shape)
      refuse(label, name,
             fmt::format("has the shape {}, the configuration makes {}",
                         shape_text(entry->second->shape), shape_text(shape)));
    found.erase(entry);
  }
  for (const auto& [name, info] : found) {
    if (name.ends_with(".rotary_emb.inv_freq"))
      continue;  // a buffer that old files hold and readers compute
    refuse(label, name,
           name == "lm_head.weight"
               ? "is there although tie_word_embeddings says that the embedding takes its place"
               : "is no tensor of the model that the configuration describes");
  }
}

void check_tokenizer(const ModelConfig& config, const Tokenizer& tokenizer,
                     const std::string& label) {
  if (tokenizer.size() > config.vocab_size)
    refuse(
        label, "vocab_size",
        fmt::format(
            "the tokenizer has ids up to {}, the weights have {} rows: they do not belong together",
            tokenizer.size() - 1, config.vocab_size));
}

void read_chat(Base& base, const std::string& source, const Variables& variables) {
  base.chat_source = source;
  base.named_tokens = variables;
  if (source.empty()) {
    base.chat_problem = "the base has no chat template";
    return;
  }
  try {
    base.chat = ChatTemplate::from_source(source, variables);
  } catch (const Error& error) {
    base.chat_problem = error.detail();
  }
}

// ---- GGUF

Variables gguf_variables(const GgufFile& file, const Tokenizer& tokenizer) {
  Variables variables;
  for (const auto& [name, key] : {std::pair{"bos_token", "bos"},
                                  {"eos_token", "eos"},
                                  {"unk_token", "unknown"},
                                  {"pad_token", "padding"}})
    if (const auto id = file.integer(fmt::format("tokenizer.ggml.{}_token_id", key));
        id && *id >= 0)
      if (auto text = tokenizer.token(*id); !text.empty()) variables[name] = std::move(text);
  return variables;
}

Base open_gguf(const fs::path& path) {
  const auto file = std::make_shared<const GgufFile>(path);
  const auto& label = file->label();
  Base base;
  base.config = read_gguf_config(*file);
  base.weights = std::make_unique<GgufWeights>(file, base.config);
  check_weights(base.config, *base.weights, label);
  base.tokenizer = Tokenizer::from_gguf(*file);
  check_tokenizer(base.config, *base.tokenizer, label);

  const auto variables = gguf_variables(*file, *base.tokenizer);
  const std::string source(file->text("tokenizer.chat_template").value_or(""));
  read_chat(base, source, variables);
  base.side_files = generate_side_files(base.config, *base.tokenizer, variables, source);

  const auto type = gguf_main_type(*file);
  base.name = file->text("general.name").value_or(path.stem().string());
  base.license = file->text("general.license").value_or("");
  base.description = fmt::format("{}, GGUF {}", base.name, type);
  base.quantised = std::ranges::any_of(file->tensors(), [](const auto& tensor) {
    return tensor.type != GgmlType::F32 && tensor.type != GgmlType::F16 &&
           tensor.type != GgmlType::BF16;
  });
  base.sha256 = sha256_of_file(path);
  return base;
}

// ---- a Hugging Face directory

bool present(const fs::path& path) { return fs::exists(fs::symlink_status(path)); }

// A token in tokenizer_config.json is a string, or an object with its content.
Variables read_variables(const JsonObject& settings) {
  Variables variables;
  for (const auto* name : {"bos_token", "eos_token", "unk_token", "pad_token"}) {
    if (!settings.has(name)) continue;
    variables[name] =
        settings.at(name).is_string() ? settings.text(name) : settings.object(name).text("content");
  }
  return variables;
}

// The template of tokenizer_config.json: a string, or a list of named ones of which `default`
// counts.
std::string read_inline_template(const JsonObject& settings) {
  if (!settings.has("chat_template")) return "";
  const auto& value = settings.at("chat_template");
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) settings.refuse("chat_template", "a string or a list is wanted");
  for (const auto& item : value) {
    const JsonObject named(item, settings.label(), "chat_template");
    if (named.text("name") == "default") return named.text("template");
  }
  return "";
}

void read_directory_chat(Base& base, const fs::path& dir) {
  std::string source;
  Variables variables;
  if (present(dir / "tokenizer_config.json")) {
    const auto json =
        parse_json(read_file(dir / "tokenizer_config.json", kJsonMax), "tokenizer_config.json");
    const JsonObject settings(json, "tokenizer_config.json");
    variables = read_variables(settings);
    source = read_inline_template(settings);
  }
  if (present(dir / "chat_template.jinja"))
    source = read_file(dir / "chat_template.jinja", kTextMax);
  read_chat(base, source, variables);
}

// `license: apache-2.0` in the front matter of README.md.
std::string read_license(const fs::path& dir) {
  if (!present(dir / "README.md")) return "";
  const auto text = read_file(dir / "README.md", kTextMax);
  if (!text.starts_with("---\n")) return "";
  const auto front = text.substr(0, text.find("\n---", 3));
  const auto at = front.find("\nlicense:");
  if (at == std::string::npos) return "";
  auto value = front.substr(at + 9, front.find('\n', at + 1) - at - 9);
  std::erase_if(value, [](char c) { return c == ' ' || c == '"' || c == '\'' || c == '\r'; });
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  return std::ranges::all_of(value, plain) ? value : "";
}

// All files at the folder's top, by name; hidden ones and sub-folders are not part of the model.
std::string sha256_of_folder(const fs::path& dir) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(".") && entry.symlink_status().type() != fs::file_type::directory)
      names.insert(name);
  }
  std::string lines;
  for (const auto& name : names) lines += fmt::format("{}  {}\n", sha256_of_file(dir / name), name);
  return sha256_of(lines);
}

Base open_directory(const fs::path& dir) {
  if (!present(dir / "config.json"))
    refuse(dir.string(), "config.json", "is not there: the folder is no model");
  Base base;
  base.config_json = read_file(dir / "config.json", kTextMax);
  base.config = read_config_json(base.config_json);
  if (present(dir / "generation_config.json"))
    add_generation_config(base.config, read_file(dir / "generation_config.json", kTextMax));
  base.weights = open_safetensors(dir);
  check_weights(base.config, *base.weights, "model.safetensors");
  if (!present(dir / "tokenizer.json"))
    refuse(dir.string(), "tokenizer.json", "is not there; other tokenizer files are not read");
  base.tokenizer = Tokenizer::from_json(read_file(dir / "tokenizer.json", kJsonMax));
  check_tokenizer(base.config, *base.tokenizer, "tokenizer.json");
  read_directory_chat(base, dir);
  for (const auto name : kTravelling)
    if (present(dir / name))
      base.side_files.push_back({std::string(name), read_file(dir / name, kJsonMax), false});

  base.name = dir.filename().string();
  base.license = read_license(dir);
  base.description =
      fmt::format("{}, safetensors {}", base.name, base.weights->tensors().front().dtype);
  base.sha256 = sha256_of_folder(dir);
  return base;
}

}  // namespace

Base open_base(const fs::path& path, std::optional<Output> wanted) {
  std::error_code failed;
  // A link that the caller named is the caller's wish; links inside a model folder are not.
  const auto real = fs::canonical(path, failed);
  if (failed) throw Error(Code::NotFound, fmt::format("no base model at {}", path.string()));
  auto base = fs::is_directory(real) ? open_directory(real) : open_gguf(real);
  if (wanted && base.config.output != *wanted)
    throw Error(Code::Invalid,
                fmt::format("{} is a {}, and a {} is wanted here", path.string(),
                            base.config.output == Output::Score ? kReward : kLanguage,
                            *wanted == Output::Score ? kReward : kLanguage));
  return base;
}

}  // namespace hone::rl
