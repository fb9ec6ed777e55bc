#include "rl/chat/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "rl/tokenizer/utf8.h"

namespace hone::rl::chat {
namespace {

bool is_follower(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)); }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Scripts without cases: those of China, Japan and Korea, and general punctuation.
bool is_caseless(char32_t c) {
  return !is_space(c) && ((c >= 0x2010 && c <= 0x205E) || (c >= 0x2E80 && c <= 0x9FFF) ||
                          (c >= 0xAC00 && c <= 0xD7A3));
}

bool is_line_end(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

std::size_t last_character(std::string_view text) {
  auto at = text.size() - 1;
  while (is_follower(text[at])) --at;
  return at;
}

std::vector<Value> split_at_space(const Site& site, std::string_view text, Int most) {
  std::vector<Value> parts;
  text = stripped(text, std::nullopt, true, false);
  while (!text.empty()) {
    if (most >= 0 && static_cast<Int>(parts.size()) >= most) {
      parts.push_back(site.text(std::string(text)));  // with the white space at its end
      break;
    }
    std::size_t end = 0;
    while (end < text.size()) {
      const auto [value, size] = code_point_at(text, end);
      if (is_space(value)) break;
      end += size;
    }
    site.step();
    parts.push_back(site.text(std::string(text.substr(0, end))));
    text = stripped(text.substr(end), std::nullopt, true, false);
  }
  return parts;
}

}  // namespace

Int characters(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return !is_follower(c); });
}

std::string_view stripped(std::string_view text, std::optional<std::string_view> chars, bool left,
                          bool right) {
  const auto goes = [&](std::size_t at) {
    const auto [value, size] = code_point_at(text, at);
    return chars ? chars->find(text.substr(at, size)) != std::string_view::npos : is_space(value);
  };
  while (left && !text.empty() && goes(0)) text.remove_prefix(code_point_at(text, 0).size);
  while (right && !text.empty() && goes(last_character(text)))
    text = text.substr(0, last_character(text));
  return text;
}

Finder::Finder(std::string_view wanted) : wanted_(wanted), back_(wanted.size(), 0) {
  for (std::size_t i = 1, length = 0; i < wanted.size(); ++i) {
    while (length > 0 && wanted[i] != wanted[length]) length = back_[length - 1];
    if (wanted[i] == wanted[length]) ++length;
    back_[i] = length;
  }
}

std::size_t Finder::next(std::string_view text, std::size_t from) const {
  if (wanted_.empty()) return from <= text.size() ? from : std::string_view::npos;
  for (std::size_t at = from, length = 0; at < text.size(); ++at) {
    while (length > 0 && text[at] != wanted_[length]) length = back_[length - 1];
    if (text[at] == wanted_[length]) ++length;
    if (length == wanted_.size()) return at + 1 - length;
  }
  return std::string_view::npos;
}

std::string cased(const Site& site, std::string_view text, Case which) {
  site.bytes(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto [value, size] = code_point_at(text, at);
    if (value >= 0x80 && !is_caseless(value))
      site.refuse(fmt::format("the cases of \"{}\" are not supported: only ASCII letters have them",
                              text.substr(at, size)));
    at += size;
  }
  std::string made(text);
  bool starting = true;
  for (auto& c : made) {
    const bool raised = which == Case::Upper || (which != Case::Lower && starting);
    const char was = c;
    c = raised ? upper(c) : lower(c);
    if (which == Case::Title)
      starting = !is_letter(was);
    else if (which == Case::TitleFilter)
      starting = is_space(static_cast<unsigned char>(was)) ||
                 std::string_view("-({[<").find(was) != std::string_view::npos;
    else
      starting = false;
  }
  return made;
}

std::vector<Value> split(const Site& site, std::string_view text,
                         std::optional<std::string_view> separator, Int most) {
  site.bytes(text.size());
  if (!separator) return split_at_space(site, text, most);
  if (separator->empty()) site.refuse("split with an empty separator");
  std::vector<Value> parts;
  const Finder finder(*separator);
  std::size_t from = 0;
  while (most < 0 || static_cast<Int>(parts.size()) < most) {
    const auto found = finder.next(text, from);
    if (found == std::string_view::npos) break;
    site.step();
    parts.push_back(site.text(std::string(text.substr(from, found - from))));
    from = found + separator->size();
  }
  parts.push_back(site.text(std::string(text.substr(from))));
  return parts;
}

std::vector<Value> split_lines(const Site& site, std::string_view text, bool keep_ends) {
  site.bytes(text.size());
  std::vector<Value> lines;
  for (std::size_t from = 0; from < text.size();) {
    auto end = from;
    std::size_t after = text.size();
    for (; end < text.size();) {
      const auto [value, size] = code_point_at(text, end);
      if (is_line_end(value)) {
        after = end + size;
        if (value == '\r' && after < text.size() && text[after] == '\n') ++after;
        break;
      }
      end += size;
    }
    site.step();
    lines.push_back(site.text(std::string(text.substr(from, (keep_ends ? after : end) - from))));
    from = after;
  }
  return lines;
}

std::string replaced(const Site& site, std::string_view text, std::string_view old,
                     std::string_view with, Int most) {
  if (old.empty()) site.refuse("replacing an empty string is not supported");
  site.bytes(text.size());
  const Finder finder(old);
  std::string made;
  std::size_t from = 0;
  for (Int done = 0; most < 0 || done < most; ++done) {
    const auto found = finder.next(text, from);
    if (found == std::string_view::npos) break;
    (made += text.substr(from, found - from)) += with;
    if (made.size() > kTextMax) site.refuse(fmt::format("a string grows past {} bytes", kTextMax));
    from = found + old.size();
  }
  made += text.substr(from);
  return made;
}

std::string repeated(const Site& site, std::string_view text, Int times) {
  if (times <= 0 || text.empty()) return {};
  if (static_cast<std::size_t>(times) > kTextMax / text.size())
    site.refuse(fmt::format("a string grows past {} bytes", kTextMax));
  if (text.size() == 1) return std::string(static_cast<std::size_t>(times), text[0]);
  std::string made;
  made.reserve(text.size() * static_cast<std::size_t>(times));
  for (Int i = 0; i < times; ++i) made += text;
  return made;
}

bool surely_printable(char32_t c) {
  return (c >= 0x20 && c < 0x7F) || (c >= 0xA1 && c <= 0x377 && c != 0xAD) ||
         (c >= 0x400 && c <= 0x52F) || (c >= 0x2010 && c <= 0x2027) ||
         (c >= 0x3041 && c <= 0x3096) || (c >= 0x30A1 && c <= 0x30FA) ||
         (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7A3) ||
         (c >= 0x1F300 && c <= 0x1F64F);
}

}  // namespace hone::rl::chat
