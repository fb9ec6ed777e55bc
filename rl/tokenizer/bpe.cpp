#include "rl/tokenizer/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <tuple>

#include "feedback/base/error.h"
#include "rl/tokenizer/byte_level.h"
#include "rl/tokenizer/gguf_pre.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl {
namespace {

constexpr std::size_t kFew = 48;  // up to here scanning all pairs beats a heap

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

// The first U+2581 behind another character, or the end.
std::size_t next_word(std::string_view text) {
  constexpr std::string_view kSpace = kSentencePieceSpace;
  std::size_t at = 0;
  while (text.substr(at).starts_with(kSpace)) at += kSpace.size();
  return std::min(text.find(kSpace, at), text.size());
}

[[noreturn]] void refuse_model(const std::string& what) {
  throw Error(Code::Invalid, "tokenizer: " + what, "model");
}

}  // namespace

Bpe::Bpe(const BpeSpec& spec, bool byte_level)
    : byte_level_(byte_level),
      ignore_merges_(spec.ignore_merges),
      fuse_unk_(spec.fuse_unk),
      byte_fallback_(spec.byte_fallback) {
  std::unordered_map<std::string_view, std::int32_t> ids;
  ids.reserve(spec.tokens.size() * 2);
  for (std::size_t id = 0; id < spec.tokens.size(); ++id)
    if (!spec.tokens[id].empty() &&
        !ids.emplace(spec.tokens[id], static_cast<std::int32_t>(id)).second)
      refuse_model(fmt::format("the token \"{}\" has two ids", spec.tokens[id]));
  const auto id_of = [&](std::string_view token) {
    const auto found = ids.find(token);
    return found == ids.end() ? -1 : found->second;
  };

  std::ranges::fill(bytes_, -1);
  if (byte_level)
    for (int byte = 0; byte < 256; ++byte)
      bytes_[byte] = id_of(byte_level_character(static_cast<std::uint8_t>(byte)));
  else if (byte_fallback_)
    for (int byte = 0; byte < 256; ++byte) bytes_[byte] = id_of(fmt::format("<0x{:02X}>", byte));

  if (!byte_level || ignore_merges_) {
    pieces_.reserve(ids.size() * 2);
    for (const auto& [token, id] : ids) {
      if (!byte_level)
        pieces_.emplace(token, id);
      else if (const auto raw = byte_level_bytes(token))
        pieces_.emplace(*raw, id);
    }
  }

  words_ = !byte_level && pieces_.contains(kSentencePieceSpace) &&
           std::ranges::none_of(spec.tokens, [](const std::string& token) {
             return next_word(token) < token.size();
           });

  merges_.reserve(spec.merges.size() * 2);
  for (std::size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const auto& [left, right] = spec.merges[rank];
    const auto a = id_of(left);
    const auto b = id_of(right);
    const auto whole = id_of(left + right);
    if (a < 0 || b < 0 || whole < 0)
      refuse_model(
          fmt::format("merge {} (\"{}\", \"{}\") names a token that is not in the vocabulary", rank,
                      left, right));
    // A pair listed twice counts at its last place, as in the `tokenizers` package.
    merges_[pair_key(a, b)] = {static_cast<std::int32_t>(rank), whole};
  }

  if (spec.unk_token) {
    unk_ = id_of(*spec.unk_token);
    if (unk_ < 0) unk_missing_ = *spec.unk_token;
  }
}

std::size_t Bpe::word_end(std::string_view piece) const {
  return words_ ? next_word(piece) : piece.size();
}

const Bpe::Merge* Bpe::find_merge(std::int32_t left, std::int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

// One symbol a byte or a character. What the vocabulary lacks becomes its bytes' tokens, else the
// unknown token (neighbouring ones as one when fused), else nothing.
void Bpe::symbols_of(std::string_view piece, std::vector<Symbol>& symbols) const {
  bool after_unknown = false;
  const auto add = [&](std::int32_t id) {
    symbols.push_back({id, static_cast<std::int32_t>(symbols.size()) - 1,
                       static_cast<std::int32_t>(symbols.size()) + 1, false});
    after_unknown = false;
  };
  const auto add_unknown = [&] {
    if (!unk_missing_.empty())
      refuse_model(fmt::format("the unknown token \"{}\" is not in the vocabulary", unk_missing_));
    if (unk_ < 0 || (after_unknown && fuse_unk_)) return;
    add(unk_);
    after_unknown = true;
  };
  if (byte_level_) {
    for (const char c : piece) {
      const auto id = bytes_[static_cast<unsigned char>(c)];
      if (id >= 0)
        add(id);
      else
        add_unknown();
    }
  } else {
    for (std::size_t at = 0; at < piece.size();) {
      const auto character = piece.substr(at, code_point_at(piece, at).size);
      at += character.size();
      if (const auto found = pieces_.find(std::string(character)); found != pieces_.end()) {
        add(found->second);
      } else if (byte_fallback_ && std::ranges::all_of(character, [&](char c) {
                   return bytes_[static_cast<unsigned char>(c)] >= 0;
                 })) {
        for (const char c : character) add(bytes_[static_cast<unsigned char>(c)]);
      } else {
        add_unknown();
      }
    }
  }
  if (!symbols.empty()) symbols.back().next = -1;
}

// The lowest rank first, the leftmost of equals; merged symbols move together in the vector.
void Bpe::merge_few(std::vector<Symbol>& symbols) const {
  while (symbols.size() > 1) {
    const Merge* best = nullptr;
    std::size_t where = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto* merge = find_merge(symbols[i].id, symbols[i + 1].id);
      if (merge != nullptr && (best == nullptr || merge->rank < best->rank)) {
        best = merge;
        where = i;
      }
    }
    if (best == nullptr) return;
    symbols[where].id = best->id;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
}

// The same with a heap over a linked list: n log n, for pieces as long as someone cares to write
// them.
void Bpe::merge_many(std::vector<Symbol>& symbols) const {
  using Candidate = std::tuple<std::int32_t, std::int32_t, std::int32_t,
                               std::int32_t>;  // rank, place, left id, right id
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto offer = [&](std::int32_t left) {
    if (left < 0 || symbols[left].next < 0) return;
    const auto right_id = symbols[symbols[left].next].id;
    if (const auto* merge = find_merge(symbols[left].id, right_id))
      queue.emplace(merge->rank, left, symbols[left].id, right_id);
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) offer(static_cast<std::int32_t>(i));
  while (!queue.empty()) {
    const auto [rank, place, left_id, right_id] = queue.top();
    queue.pop();
    auto& left = symbols[place];
    if (left.gone || left.next < 0 || left.id != left_id || symbols[left.next].id != right_id)
      continue;  // overtaken
    auto& right = symbols[left.next];
    left.id = find_merge(left_id, right_id)->id;
    right.gone = true;
    left.next = right.next;
    if (left.next >= 0) symbols[left.next].previous = place;
    offer(left.previous);
    offer(place);
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.gone; });
}

void Bpe::encode(std::string_view piece, std::vector<std::int64_t>& ids) const {
  if (ignore_merges_) {
    if (const auto found = pieces_.find(std::string(piece)); found != pieces_.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  symbols_of(piece, symbols);
  if (symbols.size() <= kFew)
    merge_few(symbols);
  else
    merge_many(symbols);
  for (const auto& symbol : symbols) ids.push_back(symbol.id);
}

}  // namespace hone::rl
