#include "rl/tokenizer/added_tokens.h"

#include <utf8proc.h>

#include <algorithm>

#include "rl/tokenizer/unicode.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl {
namespace {

std::size_t before(std::string_view text, std::size_t at) {
  do --at;
  while ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  return at;
}

// \w: letters, marks, decimal digits, letter numbers, connectors and the two joiners.
bool is_word(char32_t value) {
  if (value == 0x200C || value == 0x200D) return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(value))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin > 0 && is_word(code_point_at(text, before(text, begin)).value)) return false;
  return end == text.size() || !is_word(code_point_at(text, end).value);
}

std::size_t without_space_before(std::string_view text, std::size_t from, std::size_t at) {
  while (at > from) {
    const auto previous = before(text, at);
    if (!(unicode_class(code_point_at(text, previous).value) & kSpace)) break;
    at = previous;
  }
  return at;
}

std::size_t with_space_after(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const auto [value, size] = code_point_at(text, at);
    if (!(unicode_class(value) & kSpace)) break;
    at += size;
  }
  return at;
}

}  // namespace

void AddedTokenFinder::add(const AddedToken& token, std::string_view text) {
  std::int32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const auto found =
        std::ranges::find(nodes_[node].next, byte, &std::pair<unsigned char, std::int32_t>::first);
    if (found != nodes_[node].next.end()) {
      node = found->second;
    } else {
      const auto made = static_cast<std::int32_t>(nodes_.size());
      nodes_[node].next.emplace_back(byte, made);
      nodes_.emplace_back();
      node = made;
    }
  }
  nodes_[node].token = static_cast<std::int32_t>(tokens_.size());
  begins_[static_cast<unsigned char>(text.front())] = true;
  tokens_.push_back(token);
}

std::int32_t AddedTokenFinder::longest_at(std::string_view text, std::size_t at,
                                          std::size_t& end) const {
  std::int32_t token = -1;
  std::int32_t node = 0;
  for (; at < text.size(); ++at) {
    const auto& next = nodes_[node].next;
    const auto found = std::ranges::find(next, static_cast<unsigned char>(text[at]),
                                         &std::pair<unsigned char, std::int32_t>::first);
    if (found == next.end()) break;
    node = found->second;
    if (nodes_[node].token >= 0) {
      token = nodes_[node].token;
      end = at + 1;
    }
  }
  return token;
}

std::vector<AddedTokenFinder::Part> AddedTokenFinder::cut(std::string_view text) const {
  std::vector<Part> parts;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = 0;
    const auto which =
        begins_[static_cast<unsigned char>(text[at])] ? longest_at(text, at, end) : -1;
    if (which < 0) {
      ++at;
      continue;
    }
    const auto& token = tokens_[which];
    if (token.single_word && !stands_alone(text, at, end)) {
      at = end;
      continue;
    }
    const auto begin = token.lstrip ? without_space_before(text, done, at) : at;
    if (token.rstrip) end = with_space_after(text, end);
    if (begin > done) parts.push_back({-1, done, begin});
    parts.push_back({token.id, begin, end});
    at = done = end;
  }
  if (done < text.size()) parts.push_back({-1, done, text.size()});
  return parts;
}

}  // namespace hone::rl
