// Byte-pair encoding of one piece of text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rl/tokenizer/spec.h"

namespace hone::rl {

/// The vocabulary and merges, built for speed. Const calls are safe from several threads.
class Bpe {
 public:
  /// `byte_level`: pieces come as raw bytes and the vocabulary is written in GPT-2's alphabet.
  /// Invalid when a merge names what is not in the vocabulary.
  Bpe(const BpeSpec& spec, bool byte_level);

  /// Where the first word of a piece ends. Words can be encoded one by one, which is what a cache
  /// needs: a SentencePiece vocabulary in which no token goes on over U+2581 after another
  /// character has no merge across that place. Any other vocabulary makes the whole piece one word.
  std::size_t word_end(std::string_view piece) const;

  /// Appends the ids of one piece. Invalid when the piece needs an unknown token that is not there.
  void encode(std::string_view piece, std::vector<std::int64_t>& ids) const;

 private:
  struct Merge {
    std::int32_t rank;
    std::int32_t id;
  };
  struct Symbol {
    std::int32_t id;
    std::int32_t previous;
    std::int32_t next;
    bool gone;
  };

  void symbols_of(std::string_view piece, std::vector<Symbol>& symbols) const;
  void merge_few(std::vector<Symbol>& symbols) const;
  void merge_many(std::vector<Symbol>& symbols) const;
  const Merge* find_merge(std::int32_t left, std::int32_t right) const;

  bool byte_level_;
  bool words_ = false;  // pieces fall into words
  bool ignore_merges_;
  bool fuse_unk_;
  std::int32_t unk_ = -1;
  std::string
      unk_missing_;  // an unknown token that the vocabulary lacks: an error once it is needed
  std::int32_t
      bytes_[256];  // byte level: the id of each byte; byte fallback: of <0xNN>; -1 for none
  bool byte_fallback_;
  std::unordered_map<std::string, std::int32_t>
      pieces_;  // what a piece or a character may be as a whole
  std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace hone::rl
