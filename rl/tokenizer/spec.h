// A tokenizer as data: what tokenizer.json or a GGUF's keys say, before anything is built from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hone::rl {

class GgufFile;
class GgufWriter;

struct AddedToken {
  std::int64_t id = 0;
  std::string content = {};
  bool single_word = false;  ///< only where no word character touches it
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< and after it
  bool normalized = false;   ///< looked for in the normalised text
  bool special = false;      ///< left out when decoding without special tokens
};

struct NormalizerStep {
  enum class Kind { Nfc, Prepend, Replace } kind;
  std::string from = {};  ///< Replace: the text looked for
  std::string to = {};    ///< Replace, Prepend: the text put in

  bool operator==(const NormalizerStep&) const = default;
};

struct PreTokenizerStep {
  enum class Kind { ByteLevel, Split, Digits, Metaspace } kind;
  // ByteLevel
  bool add_prefix_space = false;
  bool use_regex = true;
  // Split
  std::string pattern = {};
  bool literal = false;  ///< the pattern is plain text
  bool invert = false;   ///< what the pattern leaves out are the matches
  enum class Behaviour { Isolated, Removed } behaviour = Behaviour::Isolated;
  // Digits
  bool individual = true;
  // Metaspace
  std::string replacement = "\xE2\x96\x81";  // U+2581
  enum class Prepend { Always, First, Never } prepend = Prepend::Always;
  bool split = true;

  bool operator==(const PreTokenizerStep&) const = default;
};

struct BpeSpec {
  /// Text of each id; empty for an id that only an added token has, or none.
  std::vector<std::string> tokens;
  std::vector<std::pair<std::string, std::string>> merges;  ///< best first
  std::optional<std::string> unk_token;
  bool fuse_unk = false;
  bool byte_fallback = false;
  bool ignore_merges = false;
};

/// One place of a template: a token of the text's own, or the text (id -1).
struct PostToken {
  std::int64_t id = -1;
  std::string content = {};
};

struct DecoderStep {
  enum class Kind { ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace } kind;
  std::string from = {};   ///< Replace, Metaspace: looked for; Strip: the character
  std::string to = {};     ///< Replace
  std::int64_t start = 0;  ///< Strip: how many at most
  std::int64_t stop = 0;
  PreTokenizerStep::Prepend prepend = PreTokenizerStep::Prepend::Always;  ///< Metaspace
};

struct TokenizerSpec {
  std::vector<AddedToken> added;
  std::vector<NormalizerStep> normalizers;
  std::vector<PreTokenizerStep> pre_tokenizers;
  BpeSpec bpe;
  /// Template for one text; empty: the text alone.
  std::vector<PostToken> post;
  std::vector<DecoderStep> decoders;
};

/// Reads tokenizer.json; Invalid naming the first part that is not understood.
TokenizerSpec read_tokenizer_json(std::string_view json);
/// Reads a GGUF's tokenizer.ggml keys.
TokenizerSpec read_tokenizer_gguf(const GgufFile& file);
/// Sets them, for a model with `rows` embedding rows; rows without a token are told as unused.
/// Invalid when GGUF has no words for a part: a wrong name would change ids without a word.
void write_tokenizer_gguf(const TokenizerSpec& spec, std::int64_t rows, GgufWriter& out);
/// tokenizer.json of the spec.
std::string write_tokenizer_json(const TokenizerSpec& spec);

}  // namespace hone::rl
