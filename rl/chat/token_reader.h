// Going through a template's tokens.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "rl/chat/lexer.h"

namespace hone::rl::chat {

/// A place in a list of tokens, which the last of them (Finish) never lets go past the end. take_
/// goes on when the token is that one, want_ refuses any other.
class TokenReader {
 protected:
  using Kind = Token::Kind;

  explicit TokenReader(const std::vector<Token>& tokens) : tokens_(tokens) {}

  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  const Token& next() { return tokens_[at_ < tokens_.size() - 1 ? at_++ : at_]; }
  bool at_operator(std::string_view text) const {
    return peek().kind == Kind::Operator && peek().text == text;
  }
  bool at_word(std::string_view text) const {
    return peek().kind == Kind::Name && peek().text == text;
  }
  bool take_operator(std::string_view text) {
    if (!at_operator(text)) return false;
    next();
    return true;
  }
  bool take_word(std::string_view text) {
    if (!at_word(text)) return false;
    next();
    return true;
  }
  static std::string shown(const Token& token) {
    switch (token.kind) {
      case Kind::Name:
      case Kind::Integer:
      case Kind::Float:
      case Kind::Operator:
        return fmt::format("\"{}\"", token.text);
      case Kind::Text:
        return "a string";
      default:
        return "the end of the tag";
    }
  }
  void want_operator(std::string_view text) {
    if (!take_operator(text))
      refuse(peek().place, fmt::format("\"{}\" is wanted, not {}", text, shown(peek())));
  }
  void want_end(std::string_view of) {
    if (peek().kind != Kind::End)
      refuse(peek().place, fmt::format("{} in {} is not supported", shown(peek()), of));
    next();
  }
  std::string want_name(std::string_view of) {
    if (peek().kind != Kind::Name) refuse(peek().place, fmt::format("a name is wanted in {}", of));
    return next().text;
  }

 private:
  const std::vector<Token>& tokens_;
  std::size_t at_ = 0;
};

}  // namespace hone::rl::chat
