// Text to token ids and back, as a model's tokenizer.json or GGUF keys define it (byte-pair
// encoding).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hone::rl {

class GgufFile;
struct TokenizerSpec;

/// Immutable; every call is safe from several threads.
class Tokenizer {
 public:
  /// Reads tokenizer.json. Whatever in it this engine does not carry out is refused with Invalid
  /// naming the part: a tokenizer is followed exactly or not at all.
  static std::shared_ptr<const Tokenizer> from_json(std::string_view tokenizer_json);
  /// Reads a GGUF's tokenizer.ggml keys: model gpt2 with a known pre-tokenizer, or llama.
  static std::shared_ptr<const Tokenizer> from_gguf(const GgufFile& file);

  explicit Tokenizer(TokenizerSpec spec);
  ~Tokenizer();

  /// Ids of the text. Special tokens written out in it become their ids. `add_special_tokens` adds
  /// what the tokenizer's own post-processor adds (SmolLM2: nothing). Invalid for bytes that are
  /// not UTF-8.
  std::vector<std::int64_t> encode(std::string_view utf8, bool add_special_tokens) const;

  /// Text of the ids; bytes that are no UTF-8 come out as U+FFFD. An id that no token has (a model
  /// may have more rows than its tokenizer has tokens) gives nothing; Invalid for a negative one.
  std::string decode(std::span<const std::int64_t> ids, bool skip_special_tokens) const;

  /// One more than the highest id.
  std::int64_t size() const;
  std::optional<std::int64_t> id_of(std::string_view token) const;
  bool is_special(std::int64_t id) const;
  /// The token as the vocabulary writes it; empty for an id that no token has.
  std::string token(std::int64_t id) const;

  const TokenizerSpec& spec() const;

  /// tokenizer.json that the `tokenizers` package reads to the same tokenizer.
  std::string to_json() const;

  /// Decodes one sampled sequence as it grows.
  class Stream {
   public:
    Stream(const Tokenizer& tokenizer, bool skip_special_tokens);
    /// The text that is complete since the last call: never part of a character.
    std::string push(std::int64_t id);
    /// What is still held back, incomplete bytes as U+FFFD; the stream is then empty.
    std::string finish();

   private:
    std::string push_bytes(std::int64_t id);
    std::string push_general(std::int64_t id);
    std::string take(const std::string& text);

    const Tokenizer* tokenizer_;
    bool skip_special_tokens_;
    std::string held_;  // byte level: bytes of a character that is not complete
    std::vector<std::int64_t>
        ids_;                  // otherwise: the tokens of the last text given, and those after it
    std::size_t context_ = 0;  // how many of ids_ the last text given had
    std::string given_;        // their text
  };

 private:
  struct Engine;
  std::unique_ptr<const Engine> engine_;
};

}  // namespace hone::rl
