// The fuzz targets: one function a parser, fed by libFuzzer (libfuzzer.cpp) and, in the ordinary
// build, with the files of corpus/ and found/ (corpus_test.cpp).
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include "feedback/base/error.h"
#include "rl/formats/config.h"

namespace hone::fuzz {

/// Each hands the bytes to its parser, and what the parser accepts to whoever uses it next.
/// Refusals (accepts, below) are good answers. Everything else is a finding: another exception, a
/// failed promise, a sanitizer's report, too much time or memory.
void safetensors(std::string_view bytes);
void safetensors_index(std::string_view bytes);
void gguf(std::string_view bytes);
void config(std::string_view bytes);
void generation_config(std::string_view bytes);
void adapter_config(std::string_view bytes);
void tokenizer(std::string_view bytes);
void chat_template(std::string_view bytes);
void model_json(std::string_view bytes);
void service_json(std::string_view bytes);
void import_rows(std::string_view bytes);
void rule_critic(std::string_view bytes);

/// A promise of the parser that does not hold is a finding like a crash.
inline void promise(bool kept, const std::string& what) {
  if (!kept) throw std::logic_error("broken promise: " + what);
}

/// Refusals become JSON in replies, reports and event files, which only holds UTF-8.
void check_refusal(const Error& error);

/// True when `read` returned; false when it refused what it was given, as it may.
template <class Read>
bool accepts(const Read& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    if (error.code() != Code::Invalid && error.code() != Code::NotFound) throw;
    check_refusal(error);
    return false;
  }
}

/// The shape of a model of a hundred tokens, for files that stand beside one.
rl::ModelConfig small_model();

/// The input cut in two: up to the first byte 0xFF, which no UTF-8 has, and what follows it.
struct Halves {
  std::string_view first, second;
};
Halves halves(std::string_view bytes);

/// A file of this process in memory, for parsers that want a path. Written anew by each call, in a
/// folder that lasts as long as the process; scripts/fuzz removes those of processes that died.
std::filesystem::path put(const std::string& name, std::string_view bytes);

}  // namespace hone::fuzz
