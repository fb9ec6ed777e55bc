#include "rl/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "feedback/base/error.h"
#include "rl/tokenizer/added_tokens.h"
#include "rl/tokenizer/bpe.h"
#include "rl/tokenizer/decoder.h"
#include "rl/tokenizer/normalizer.h"
#include "rl/tokenizer/pre_tokenizer.h"
#include "rl/tokenizer/spec.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl {
namespace {

// Words repeat: most text is answered from here. Emptied when full, which bounds it.
class PieceCache {
 public:
  const std::vector<std::int64_t>* find(const std::string& piece) const {
    const auto found = ids_.find(piece);
    return found == ids_.end() ? nullptr : &found->second;
  }
  void put(std::string piece, std::vector<std::int64_t> ids) {
    if (piece.size() > kPieceMax) return;
    if (ids_.size() >= kEntriesMax) ids_.clear();
    ids_.emplace(std::move(piece), std::move(ids));
  }

 private:
  static constexpr std::size_t kPieceMax = 256;
  static constexpr std::size_t kEntriesMax = 100'000;
  std::unordered_map<std::string, std::vector<std::int64_t>> ids_;
};

constexpr std::int64_t kIdMax = 1 << 22;

}  // namespace

struct Tokenizer::Engine {
  explicit Engine(TokenizerSpec given);

  void encode_text(std::string_view text, bool at_start, PieceCache& known,
                   std::vector<std::int64_t>& ids) const;
  void name(std::int64_t id, const std::string& content);
  const std::string& text_of(std::int64_t id) const;

  TokenizerSpec spec;
  PreTokenizer pre_tokenizer;
  Bpe bpe;
  AddedTokenFinder raw;         // looked for in the text as it came
  AddedTokenFinder normalised;  // looked for after normalising
  std::vector<std::string> texts;
  std::vector<bool> special;
  std::unordered_map<std::string, std::int64_t> ids_by_text;
  bool byte_level_decoder;

  mutable std::mutex mutex;
  mutable PieceCache cache;  // under mutex
};

Tokenizer::Engine::Engine(TokenizerSpec given)
    : spec(std::move(given)),
      pre_tokenizer(spec.pre_tokenizers),
      bpe(spec.bpe, pre_tokenizer.byte_level()),
      byte_level_decoder(spec.decoders.size() == 1 &&
                         spec.decoders[0].kind == DecoderStep::Kind::ByteLevel) {
  texts = spec.bpe.tokens;
  for (std::size_t id = 0; id < texts.size(); ++id)
    if (!texts[id].empty()) ids_by_text.emplace(texts[id], static_cast<std::int64_t>(id));
  for (const auto& token : spec.added) {
    if (token.content.empty()) continue;  // matches nothing
    name(token.id, token.content);
    auto& finder = token.normalized ? normalised : raw;
    const auto looked_for =
        token.normalized ? normalize(spec.normalizers, token.content) : token.content;
    if (!looked_for.empty()) finder.add(token, looked_for);
  }
  special.resize(texts.size());
  for (const auto& token : spec.added)
    if (!token.content.empty() && token.special) special[static_cast<std::size_t>(token.id)] = true;
  for (const auto& token : spec.post)
    if (token.id >= static_cast<std::int64_t>(texts.size()))
      throw Error(Code::Invalid,
                  fmt::format("tokenizer: post_processor: id {} is no token", token.id),
                  "post_processor");
}

// An added token may repeat what the vocabulary says of it, never contradict it.
void Tokenizer::Engine::name(std::int64_t id, const std::string& content) {
  const auto refuse = [&](const std::string& what) {
    throw Error(Code::Invalid,
                fmt::format("tokenizer: added_tokens: \"{}\" (id {}) {}", content, id, what),
                "added_tokens");
  };
  if (id < 0 || id >= kIdMax) refuse("has an id out of range");
  if (static_cast<std::size_t>(id) >= texts.size()) texts.resize(static_cast<std::size_t>(id) + 1);
  auto& text = texts[static_cast<std::size_t>(id)];
  if (!text.empty() && text != content) refuse(fmt::format("takes the id of \"{}\"", text));
  const auto [entry, fresh] = ids_by_text.emplace(content, id);
  if (!fresh && entry->second != id)
    refuse(fmt::format("has id {} in the vocabulary", entry->second));
  text = content;
}

const std::string& Tokenizer::Engine::text_of(std::int64_t id) const {
  static const std::string none;
  if (id < 0) throw Error(Code::Invalid, fmt::format("{} is no token id", id));
  return static_cast<std::size_t>(id) < texts.size() ? texts[static_cast<std::size_t>(id)] : none;
}

void Tokenizer::Engine::encode_text(std::string_view text, bool at_start, PieceCache& known,
                                    std::vector<std::int64_t>& ids) const {
  const auto add = [&](std::string word) {
    if (const auto* found = known.find(word)) {
      ids.insert(ids.end(), found->begin(), found->end());
      return;
    }
    const auto from = ids.size();
    bpe.encode(word, ids);
    known.put(std::move(word), {ids.begin() + static_cast<std::ptrdiff_t>(from), ids.end()});
  };
  for (auto& piece : pre_tokenizer.cut(std::string(text), at_start)) {
    std::string_view rest = piece;
    for (auto end = bpe.word_end(rest); end < rest.size(); end = bpe.word_end(rest)) {
      add(std::string(rest.substr(0, end)));
      rest.remove_prefix(end);
    }
    if (rest.size() == piece.size())
      add(std::move(piece));
    else
      add(std::string(rest));
  }
}

std::shared_ptr<const Tokenizer> Tokenizer::from_json(std::string_view json) {
  return std::make_shared<const Tokenizer>(read_tokenizer_json(json));
}

std::shared_ptr<const Tokenizer> Tokenizer::from_gguf(const GgufFile& file) {
  return std::make_shared<const Tokenizer>(read_tokenizer_gguf(file));
}

Tokenizer::Tokenizer(TokenizerSpec spec)
    : engine_(std::make_unique<const Engine>(std::move(spec))) {}
Tokenizer::~Tokenizer() = default;

std::vector<std::int64_t> Tokenizer::encode(std::string_view utf8, bool add_special_tokens) const {
  if (!valid_utf8(utf8)) throw Error(Code::Invalid, "the text is not UTF-8");
  const auto& e = *engine_;
  std::vector<std::int64_t> ids;
  ids.reserve(utf8.size() / 3);
  const std::lock_guard lock(e.mutex);
  for (const auto& part : e.raw.cut(utf8)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      continue;
    }
    const auto text = normalize(e.spec.normalizers, utf8.substr(part.begin, part.end - part.begin));
    for (const auto& inner : e.normalised.cut(text)) {
      if (inner.id >= 0)
        ids.push_back(inner.id);
      else
        e.encode_text(std::string_view(text).substr(inner.begin, inner.end - inner.begin),
                      part.begin == 0 && inner.begin == 0, e.cache, ids);
    }
  }
  if (!add_special_tokens || e.spec.post.empty()) return ids;

  std::vector<std::int64_t> whole;
  for (const auto& token : e.spec.post) {
    if (token.id >= 0)
      whole.push_back(token.id);
    else
      whole.insert(whole.end(), ids.begin(), ids.end());
  }
  return whole;
}

std::string Tokenizer::decode(std::span<const std::int64_t> ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  for (const auto id : ids) {
    const auto& text = engine_->text_of(id);
    if (!text.empty() && !(skip_special_tokens && is_special(id))) tokens.push_back(text);
  }
  return decode_tokens(engine_->spec.decoders, std::move(tokens));
}

std::int64_t Tokenizer::size() const { return static_cast<std::int64_t>(engine_->texts.size()); }

std::optional<std::int64_t> Tokenizer::id_of(std::string_view token) const {
  const auto found = engine_->ids_by_text.find(std::string(token));
  if (found == engine_->ids_by_text.end()) return std::nullopt;
  return found->second;
}

bool Tokenizer::is_special(std::int64_t id) const {
  return id >= 0 && id < size() && engine_->special[static_cast<std::size_t>(id)];
}

std::string Tokenizer::token(std::int64_t id) const { return engine_->text_of(id); }

const TokenizerSpec& Tokenizer::spec() const { return engine_->spec; }

std::string Tokenizer::to_json() const { return write_tokenizer_json(engine_->spec); }

Tokenizer::Stream::Stream(const Tokenizer& tokenizer, bool skip_special_tokens)
    : tokenizer_(&tokenizer), skip_special_tokens_(skip_special_tokens) {}

std::string Tokenizer::Stream::push(std::int64_t id) {
  return tokenizer_->engine_->byte_level_decoder ? push_bytes(id) : push_general(id);
}

std::string Tokenizer::Stream::push_bytes(std::int64_t id) {
  const auto& token = tokenizer_->engine_->text_of(id);
  if (token.empty() || (skip_special_tokens_ && tokenizer_->is_special(id))) return "";
  held_ += byte_level_piece(token);
  const auto complete = held_.size() - incomplete_tail(held_);
  const auto text = lossy_utf8(std::string_view(held_).substr(0, complete));
  held_.erase(0, complete);
  return text;
}

// For decoders where a token's text depends on its neighbours: what the new tokens add to the text
// of the ones before them. A U+FFFD at the end may still become a character.
std::string Tokenizer::Stream::push_general(std::int64_t id) {
  ids_.push_back(id);
  const auto text = tokenizer_->decode(ids_, skip_special_tokens_);
  if (text.ends_with("\xEF\xBF\xBD") || text.size() <= given_.size()) return "";
  return take(text);
}

// The tokens of this text stay as context for the next, so that those are not taken for the first
// of all.
std::string Tokenizer::Stream::take(const std::string& text) {
  ids_.erase(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(context_));
  const auto alone = tokenizer_->decode(ids_, skip_special_tokens_);
  // Bytes that turned out to be no character may change text that was given already; it stays
  // given.
  auto fresh = text.starts_with(given_) ? text.substr(given_.size()) : alone;
  context_ = ids_.size();
  given_ = alone;
  return fresh;
}

std::string Tokenizer::Stream::finish() {
  std::string rest;
  if (tokenizer_->engine_->byte_level_decoder) {
    rest = lossy_utf8(held_);
  } else {
    const auto text = tokenizer_->decode(ids_, skip_special_tokens_);
    if (text.size() > given_.size()) rest = take(text);
  }
  held_.clear();
  ids_.clear();
  context_ = 0;
  given_.clear();
  return rest;
}

}  // namespace hone::rl
