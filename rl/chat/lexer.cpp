#include "rl/chat/lexer.h"

#include <fmt/format.h>

#include <array>
#include <cctype>

#include "feedback/base/error.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl::chat {
namespace {

using Kind = Token::Kind;

constexpr std::array<std::string_view, 6> kTwoByteOperators = {"==", "!=", "<=", ">=", "//", "**"};
constexpr std::string_view kOneByteOperators = "+-*/%~<>=.,:|()[]{}";

bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool is_name(char c) { return is_name_start(c) || std::isdigit(static_cast<unsigned char>(c)); }

// Any line ending as \n, and one at the very end dropped, as Jinja does before anything else.
std::string with_unix_lines(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text += source[i];
    } else {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(with_unix_lines(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const auto tag = find_tag();
      add_data(tag);
      if (tag == std::string::npos) break;
      advance_to(tag);
      read_tag();
    }
    tokens_.push_back({Kind::Finish, "", place_});
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return std::string_view(source_).substr(at_); }

  void advance_to(std::size_t to) {
    for (; at_ < to; ++at_) {
      if (source_[at_] == '\n') {
        ++place_.line;
        place_.column = 1;
      } else if ((static_cast<unsigned char>(source_[at_]) & 0xC0) != 0x80) {
        ++place_.column;
      }
    }
  }

  std::size_t find_tag() const {
    for (auto at = source_.find('{', at_); at != std::string::npos; at = source_.find('{', at + 1))
      if (at + 1 < source_.size() &&
          (source_[at + 1] == '{' || source_[at + 1] == '%' || source_[at + 1] == '#'))
        return at;
    return std::string::npos;
  }

  // The text up to the tag: without trailing space before a "-", without the indent before a block
  // that begins its line.
  void add_data(std::size_t tag) {
    auto text = std::string_view(source_).substr(at_, tag == std::string::npos ? tag : tag - at_);
    if (tag != std::string::npos) {
      const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
      const bool line_starting = at_ == 0 || source_[at_ - 1] == '\n';
      if (sign == '-') {
        text = text.substr(0, trimmed_end(text, 0));
      } else if (sign != '+' && source_[tag + 1] != '{') {
        const auto line_break = text.rfind('\n');
        const auto line = line_break == std::string_view::npos ? 0 : line_break + 1;
        if ((line > 0 || line_starting) && trimmed_end(text, line) == line)
          text = text.substr(0, line);
      }
    }
    if (!text.empty()) tokens_.push_back({Kind::Data, std::string(text), place_});
    if (tag == std::string::npos) advance_to(source_.size());
  }

  // Where the text ends without white space at its end; not before `from`.
  static std::size_t trimmed_end(std::string_view text, std::size_t from) {
    auto end = text.size();
    while (end > from) {
      auto at = end - 1;
      while ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
      if (!is_space(code_point_at(text, at).value)) break;
      end = at;
    }
    return end;
  }

  void skip_space() {
    while (at_ < source_.size()) {
      const auto [value, size] = code_point_at(source_, at_);
      if (!is_space(value)) return;
      advance_to(at_ + size);
    }
  }

  void read_tag() {
    const auto start = place_;
    const char kind = source_[at_ + 1];
    if (kind == '#') {
      const auto end = source_.find("#}", at_ + 2);
      if (end == std::string::npos) refuse(start, "a comment does not end");
      advance_to(end);
      finish_tag("#}", source_[end - 1]);
      return;
    }
    tokens_.push_back({kind == '%' ? Kind::BeginBlock : Kind::BeginOutput, "", start});
    advance_to(at_ + 2);
    if (at_ < source_.size() && (source_[at_] == '-' || source_[at_] == '+')) advance_to(at_ + 1);
    const std::string_view closing = kind == '%' ? "%}" : "}}";
    open_.clear();
    while (true) {
      skip_space();
      if (at_ >= source_.size()) refuse(start, "a tag does not end");
      const char sign = source_[at_];
      // Inside a bracket nothing closes the tag: {{ {'a': {'b': 1}} }}.
      if (open_.empty() && rest().starts_with(closing)) {
        tokens_.push_back({Kind::End, "", place_});
        finish_tag(closing, ' ');
        return;
      }
      if (open_.empty() && (sign == '-' || (sign == '+' && kind == '%')) &&
          rest().substr(1).starts_with(closing)) {
        tokens_.push_back({Kind::End, "", place_});
        advance_to(at_ + 1);
        finish_tag(closing, sign);
        return;
      }
      read_token();
    }
  }

  // At the closing marks: "-" takes all white space after them, a plain block or comment one line
  // break.
  void finish_tag(std::string_view closing, char sign) {
    advance_to(at_ + closing.size());
    if (sign == '-')
      skip_space();
    else if (sign != '+' && closing != "}}" && at_ < source_.size() && source_[at_] == '\n')
      advance_to(at_ + 1);
  }

  void read_token() {
    const auto start = place_;
    const char c = source_[at_];
    auto end = at_;
    if (is_name_start(c)) {
      while (end < source_.size() && is_name(source_[end])) ++end;
      push(Kind::Name, end, start);
    } else if (is_digit(at_)) {
      read_number();
    } else if (c == '\'' || c == '"') {
      read_text(c);
    } else {
      for (const auto two : kTwoByteOperators)
        if (rest().starts_with(two)) return push(Kind::Operator, at_ + 2, start);
      if (kOneByteOperators.find(c) == std::string_view::npos)
        refuse(start, fmt::format("\"{}\" is not understood",
                                  rest().substr(0, code_point_at(source_, at_).size)));
      note_bracket(c, start);
      push(Kind::Operator, at_ + 1, start);
    }
  }

  void note_bracket(char c, const Place& place) {
    if (c == '(' || c == '[' || c == '{') open_ += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c != ')' && c != ']' && c != '}') return;
    if (open_.empty() || open_.back() != c)
      refuse(place, fmt::format("\"{}\" closes no bracket", c));
    open_.pop_back();
  }

  bool is_digit(std::size_t at) const {
    return at < source_.size() && std::isdigit(static_cast<unsigned char>(source_[at]));
  }
  std::size_t digits_end(std::size_t at) const {
    while (is_digit(at)) ++at;
    return at;
  }

  void read_number() {
    const auto start = place_;
    auto end = digits_end(at_);
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';  // x.0.1: two elements, no fraction
    auto kind = Kind::Integer;
    if (!after_dot && end < source_.size() && source_[end] == '.' && is_digit(end + 1)) {
      kind = Kind::Float;
      end = digits_end(end + 1);
    }
    if (!after_dot && end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      const auto sign =
          end + 1 < source_.size() && (source_[end + 1] == '+' || source_[end + 1] == '-');
      if (is_digit(end + 1 + sign)) {
        kind = Kind::Float;
        end = digits_end(end + 1 + sign);
      }
    }
    if (end < source_.size() && is_name(source_[end]))
      refuse(start, "only plain decimal numbers are supported");
    const auto whole = digits_end(at_) - at_;
    if (kind == Kind::Integer && whole > 1 && source_[at_] == '0')
      refuse(start, "a number that begins with 0 is not supported");
    push(kind, end, start);
  }

  void push(Kind kind, std::size_t end, const Place& start) {
    tokens_.push_back({kind, source_.substr(at_, end - at_), start});
    advance_to(end);
  }

  char32_t hex(int digits) {
    char32_t value = 0;
    for (int i = 0; i < digits; ++i) {
      if (at_ >= source_.size() || !std::isxdigit(static_cast<unsigned char>(source_[at_])))
        refuse(place_, "a hexadecimal escape is cut short");
      const char c = source_[at_];
      value = value * 16 + static_cast<char32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
      advance_to(at_ + 1);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
      refuse(place_, "an escape is no character");
    return value;
  }

  // A string with Python's escapes; one that Python does not know stays as it is written.
  void read_text(char quote) {
    const auto start = place_;
    std::string text;
    advance_to(at_ + 1);
    while (true) {
      if (at_ >= source_.size()) refuse(start, "a string does not end");
      const char c = source_[at_];
      advance_to(at_ + 1);
      if (c == quote) break;
      if (c == '\\')
        read_escape(text, start);
      else
        text += c;
    }
    tokens_.push_back({Kind::Text, std::move(text), start});
  }

  void read_escape(std::string& text, const Place& start) {
    if (at_ >= source_.size()) refuse(start, "a string does not end");
    const char c = source_[at_];
    advance_to(at_ + 1);
    constexpr std::string_view kLetters = "ntr\\'\"abfv";
    constexpr std::string_view kMeanings = "\n\t\r\\'\"\a\b\f\v";
    if (const auto which = kLetters.find(c); which != std::string_view::npos)
      text += kMeanings[which];
    else if (c == 'x')
      append_utf8(text, hex(2));
    else if (c == 'u')
      append_utf8(text, hex(4));
    else if (c == 'U')
      append_utf8(text, hex(8));
    else if (c >= '0' && c <= '7')
      append_utf8(text, octal(c));
    else if (c == 'N' || (c & 0x80) != 0)
      refuse(start, "an escape by name, or of a character outside ASCII, is not supported");
    else if (c != '\n')  // an escaped line end is nothing at all
      (text += '\\') += c;
  }

  char32_t octal(char first) {
    auto value = static_cast<char32_t>(first - '0');
    for (int i = 1; i < 3 && at_ < source_.size() && source_[at_] >= '0' && source_[at_] <= '7';
         ++i) {
      value = value * 8 + static_cast<char32_t>(source_[at_] - '0');
      advance_to(at_ + 1);
    }
    return value;
  }

  std::string source_;
  std::size_t at_ = 0;
  Place place_;
  std::string open_;  // the brackets that would close those open in this tag, outermost first
  std::vector<Token> tokens_;
};

}  // namespace

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

void refuse(const Place& place, const std::string& what) {
  throw Error(Code::Invalid,
              fmt::format("chat template, line {}, column {}: {}", place.line, place.column, what),
              "chat_template");
}

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace hone::rl::chat
