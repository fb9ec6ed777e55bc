#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "rl/tokenizer/utf8.h"
#include "tests/fuzz/targets.h"

namespace hone::fuzz {
namespace {

namespace fs = std::filesystem;

struct Scratch {
  Scratch() {
    const char* given = std::getenv("HONE_FUZZ_SCRATCH");
    const fs::path memory = "/dev/shm";
    const fs::path root = given != nullptr           ? fs::path(given)
                          : fs::is_directory(memory) ? memory
                                                     : fs::temp_directory_path();
    path = root / ("hone-fuzz-" + std::to_string(::getpid()));
    fs::create_directories(path);
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

}  // namespace

void check_refusal(const Error& error) {
  promise(!error.detail().empty(), "a refusal says why");
  promise(rl::valid_utf8(error.detail()) && rl::valid_utf8(error.pointer()),
          "a refusal is UTF-8: " + error.detail());
}

rl::ModelConfig small_model() {
  rl::ModelConfig config;
  config.vocab_size = 100;
  config.hidden_size = config.intermediate_size = config.max_position_embeddings = 16;
  config.num_hidden_layers = config.num_attention_heads = config.num_key_value_heads = 1;
  config.head_dim = 16;
  return config;
}

Halves halves(std::string_view bytes) {
  const auto cut = bytes.find('\xFF');
  if (cut == std::string_view::npos) return {bytes, {}};
  return {bytes.substr(0, cut), bytes.substr(cut + 1)};
}

fs::path put(const std::string& name, std::string_view bytes) {
  static const Scratch scratch;
  auto path = scratch.path / name;
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw std::runtime_error(path.string() + " cannot be written");
  return path;
}

}  // namespace hone::fuzz
