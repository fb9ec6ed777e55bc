// Tokens that are found in the text before anything else is done to it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rl/tokenizer/spec.h"

namespace hone::rl {

/// Finds a set of added tokens: at each place the longest, left to right. Const calls are safe from
/// several threads.
class AddedTokenFinder {
 public:
  void add(const AddedToken& token, std::string_view text);
  bool empty() const { return tokens_.empty(); }

  /// A part of the text: an added token's id, or -1 for text between them.
  struct Part {
    std::int64_t id;
    std::size_t begin;
    std::size_t end;
  };
  /// The parts of `text` in order; none is empty.
  std::vector<Part> cut(std::string_view text) const;

 private:
  struct Node {
    std::vector<std::pair<unsigned char, std::int32_t>> next;
    std::int32_t token = -1;
  };
  std::int32_t longest_at(std::string_view text, std::size_t at, std::size_t& end) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_{Node{}};
  bool begins_[256] = {};  // bytes some token begins with
};

}  // namespace hone::rl
