// A whole conversation as tokens, with a mask of those that the assistant is to have written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rl/data/conversation.h"

namespace hone::rl {

/// Part of a conversation's text.
struct Piece {
  std::string text;
  bool answer = false;  ///< the assistant's own words
};

/// The text that the template writes, cut where answers begin and end: at its {% generation %}
/// blocks, or where it has none, at the answers' contents. For that it must write each answer as it
/// is given (white space around it may go) into a text that does not depend on it, after the very
/// text that it writes as a prompt of the messages before; else Invalid.
std::vector<Piece> pieces_of(const TextRules& rules, const std::vector<Message>& messages);

struct MarkedIds {
  Ids ids;
  std::vector<std::uint8_t> mask;  ///< 1: the token is learnt; as long as ids
  bool merged = false;             ///< the text as a whole gives other tokens
};

/// Each piece tokenised apart, as sampling does it. Every answer is in the mask, from its first
/// token to the end token after it; headers and other turns are not. The row ends with the last
/// answer's end token: what the template writes after it is cut, and where it writes none one is
/// added. Invalid for a conversation without answers, with an empty one, or one that holds an end
/// token inside.
MarkedIds marked_ids(const TextRules& rules, const std::vector<Message>& messages);

}  // namespace hone::rl
