// A base model opened whole: shape, weights, tokenizer, template and the files that travel with it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rl/formats/config.h"
#include "rl/formats/tensor_source.h"

namespace hone::rl {

class Tokenizer;
class ChatTemplate;

struct Base {
  /// A file that belongs beside exported weights.
  struct File {
    std::string name;
    std::string bytes;
    bool generated =
        false;  ///< written by us from a GGUF's keys; otherwise the base's own, byte for byte
  };

  ModelConfig config;
  std::string config_json;  ///< the base's own config.json; empty for a GGUF
  std::unique_ptr<TensorSource> weights;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatTemplate> chat;  ///< null when absent or not understood
  std::string chat_problem;                  ///< why chat is null; empty otherwise
  std::string chat_source;  ///< the template as it stands in the base; may be empty
  std::map<std::string, std::string> named_tokens;  ///< bos_token, eos_token, unk_token, pad_token
  std::string sha256;  ///< of the file; of a directory: over its sorted "<sha256>  <name>\n" lines
  std::string description;  ///< "SmolLM2 135M Instruct, GGUF Q4_1"
  std::string name;         ///< what a model card calls it
  std::string license;      ///< SPDX-like, lower case; empty when the base does not say
  bool quantised = false;   ///< the weights were dequantised: they are not the original ones
  std::vector<File> side_files;
};

/// Opens a Hugging Face directory or a .gguf file, and checks that the pieces fit: every weight the
/// shape asks for is there in that shape and no other, and the tokenizer's ids lie below
/// vocab_size. NotFound when there is nothing at `path`, Invalid naming file and field for anything
/// wrong in it, and for a model whose output is not the one wanted (nullopt: any).
Base open_base(const std::filesystem::path& path, std::optional<Output> wanted = Output::Tokens);

}  // namespace hone::rl
