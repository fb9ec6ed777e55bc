#include "rl/chat/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "rl/chat/text.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl::chat {
namespace {

using Shape = Sequence::Shape;

void put_quoted(const Site& site, std::string& out, const std::string& text) {
  const bool has_single = text.find('\'') != std::string::npos;
  const char quote = has_single && text.find('"') == std::string::npos ? '"' : '\'';
  out += quote;
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, size] = code_point_at(text, at);
    if (c == static_cast<char32_t>(quote) || c == '\\')
      (out += '\\') += text[at];
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (c < 0x20 || (c >= 0x7F && c < 0xA1) || c == 0xAD)
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    else if (surely_printable(c))
      out += text.substr(at, size);
    else
      site.refuse(
          fmt::format("printing a list or dictionary that holds the character U+{:04X} is "
                      "not supported",
                      static_cast<unsigned>(c)));
    at += size;
  }
  out += quote;
}

class Printer {
 public:
  explicit Printer(const Site& site) : site_(site) {}

  void put(std::string& out, const Value& value) {
    site_.step();
    if (const auto* s = value.text()) {
      site_.bytes(s->size());
      put_quoted(site_, out, *s);
    } else if (value.as<Undefined>()) {
      out += "Undefined";
    } else if (const auto* l = value.as<SharedList>()) {
      put_items(out, value, **l);
    } else if (const auto* d = value.as<SharedDict>()) {
      out += '{';
      for (const auto& [key, held] : (*d)->items) {
        if (&key != &(*d)->items.front().first) out += ", ";
        put_quoted(site_, out, key);
        out += ": ";
        put(out, held);
      }
      out += '}';
    } else {
      out += printed(site_, value);
    }
    if (out.size() > kTextMax) site_.refuse(fmt::format("a string grows past {} bytes", kTextMax));
  }

 private:
  void put_items(std::string& out, const Value& value, const Sequence& list) {
    if (list.shape != Shape::List && list.shape != Shape::Tuple)
      site_.refuse(fmt::format("printing {} is not supported", type_of(value)));
    const bool tuple = list.shape == Shape::Tuple;
    out += tuple ? '(' : '[';
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out += ", ";
      put(out, list.items[i]);
    }
    if (tuple && list.items.size() == 1) out += ',';
    out += tuple ? ')' : ']';
  }

  const Site& site_;
};

class JsonWriter {
 public:
  JsonWriter(const Site& site, const JsonStyle& style) : site_(site), style_(style) {}

  std::string run(const Value& value) {
    put(value);
    return std::move(out_);
  }

 private:
  void put(const Value& value) {
    site_.step();
    if (const auto* s = value.text()) {
      put_text(*s);
    } else if (value.as<None>()) {
      out_ += "null";
    } else if (const auto* b = value.as<bool>()) {
      out_ += *b ? "true" : "false";
    } else if (const auto* i = value.as<Int>()) {
      out_ += std::to_string(*i);
    } else if (const auto* f = value.as<double>()) {
      out_ += std::isnan(*f)   ? "NaN"
              : std::isinf(*f) ? (*f > 0 ? "Infinity" : "-Infinity")
                               : float_text(*f);
    } else if (const auto* d = value.as<SharedDict>()) {
      put_mapping(**d);
    } else if (const auto* l = value.as<SharedList>();
               l != nullptr && ((*l)->shape == Shape::List || (*l)->shape == Shape::Tuple)) {
      put_list((*l)->items);
    } else {
      site_.refuse(fmt::format("{} has no JSON", type_of(value)));
    }
    if (out_.size() > kTextMax) site_.refuse(fmt::format("a string grows past {} bytes", kTextMax));
  }

  void new_line() {
    if (!style_.indent) return;
    out_ += '\n';
    for (int i = 0; i < level_; ++i) out_ += *style_.indent;
  }

  void put_list(const std::vector<Value>& items) {
    if (items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    ++level_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.between;
      new_line();
      put(items[i]);
    }
    --level_;
    new_line();
    out_ += ']';
  }

  void put_mapping(const Mapping& mapping) {
    if (mapping.items.empty()) {
      out_ += "{}";
      return;
    }
    std::vector<const std::pair<std::string, Value>*> items;
    for (const auto& item : mapping.items) items.push_back(&item);
    if (style_.sorted)
      std::ranges::sort(items, {},
                        [](const auto* item) -> const std::string& { return item->first; });
    out_ += '{';
    ++level_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.between;
      new_line();
      put_text(items[i]->first);
      out_ += style_.after_key;
      put(items[i]->second);
    }
    --level_;
    new_line();
    out_ += '}';
  }

  void put_text(const std::string& text) {
    site_.bytes(text.size());
    out_ += '"';
    for (std::size_t at = 0; at < text.size();) {
      const auto [c, size] = code_point_at(text, at);
      constexpr std::string_view kLetters = "\"\\\n\r\t\f\b";
      constexpr std::string_view kEscapes = "\"\\nrtfb";
      if (const auto which = c < 0x80 ? kLetters.find(static_cast<char>(c)) : std::string::npos;
          which != std::string::npos)
        (out_ += '\\') += kEscapes[which];
      else if (c < 0x20 || (style_.ascii && c >= 0x7F))
        put_escape(c);
      else
        out_.append(text, at, size);
      at += size;
    }
    out_ += '"';
  }

  void put_escape(char32_t c) {
    if (c >= 0x10000) {
      const auto over = c - 0x10000;
      put_escape(0xD800 + (over >> 10));
      c = 0xDC00 + (over & 0x3FF);
    }
    out_ += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  }

  const Site& site_;
  const JsonStyle& style_;
  std::string out_;
  int level_ = 0;
};

}  // namespace

std::string printed(const Site& site, const Value& value) {
  if (const auto* s = value.text()) return *s;
  if (const auto* i = value.as<Int>()) return std::to_string(*i);
  if (const auto* f = value.as<double>()) return float_text(*f);
  if (const auto* b = value.as<bool>()) return *b ? "True" : "False";
  if (value.as<Undefined>()) return "";
  if (value.as<None>()) return "None";
  if (value.as<SharedList>() || value.as<SharedDict>()) {
    std::string out;
    Printer(site).put(out, value);
    return out;
  }
  site.refuse(fmt::format("printing {} is not supported", type_of(value)));
}

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string_view whole(buffer, static_cast<std::size_t>(end.ptr - buffer));
  const auto mark = whole.find('e');
  const int exponent = std::stoi(std::string(whole.substr(mark + 1)));
  const bool negative = whole[0] == '-';
  std::string digits;
  for (const char c : whole.substr(0, mark))
    if (c >= '0' && c <= '9') digits += c;
  const int count = static_cast<int>(digits.size());
  std::string text = negative ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    text += digits[0];
    if (count > 1) (text += '.') += digits.substr(1);
    text += fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  } else if (exponent < 0) {
    text += "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  } else if (count <= exponent + 1) {
    text += digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
  } else {
    text += digits.substr(0, static_cast<std::size_t>(exponent + 1)) + "." +
            digits.substr(static_cast<std::size_t>(exponent + 1));
  }
  return text;
}

std::string to_json(const Site& site, const Value& value, const JsonStyle& style) {
  return JsonWriter(site, style).run(value);
}

}  // namespace hone::rl::chat
