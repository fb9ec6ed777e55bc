#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "rl/chat/syntax.h"

namespace hone::rl::chat {
namespace {

using Kind = Token::Kind;
using Node = std::unique_ptr<Expression>;

constexpr int kDepthMax = 64;    // of nested expressions and blocks: the parser calls itself
constexpr int kHeightMax = 500;  // of an expression's tree: a + b + c + ... nests to the left

constexpr std::array<std::string_view, 4> kFilters = {"trim", "length", "count", "string"};
constexpr std::array<std::string_view, 6> kTests = {"defined", "undefined", "none",
                                                    "string",  "true",      "false"};
constexpr std::array<std::string_view, 5> kMethods = {"strip", "lstrip", "rstrip", "startswith",
                                                      "endswith"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

class Parser {
 public:
  explicit Parser(const std::vector<Token>& tokens) : tokens_(tokens) {}

  std::vector<Statement> run() {
    auto statements = body({});
    if (peek().kind != Kind::Finish) refuse(peek().place, "a closing tag has nothing to close");
    return statements;
  }

 private:
  // ---- tokens

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

  struct Deeper {
    Deeper(int& depth, const Place& place) : depth_(depth) {
      if (++depth_ > kDepthMax) refuse(place, "nested too deep");
    }
    ~Deeper() { --depth_; }
    int& depth_;
  };

  // ---- statements

  // Statements up to a block whose word is in `closing` (left unread), or the end.
  std::vector<Statement> body(std::initializer_list<std::string_view> closing) {
    const Deeper deeper(depth_, peek().place);
    std::vector<Statement> statements;
    while (peek().kind != Kind::Finish) {
      const auto& token = peek();
      if (token.kind == Kind::Data) {
        statements.push_back(
            {.kind = Statement::Kind::Data, .text = next().text, .place = token.place});
      } else if (token.kind == Kind::BeginOutput) {
        next();
        Statement output{.kind = Statement::Kind::Output, .place = token.place};
        output.expressions.push_back(expression());
        want_end("an output");
        statements.push_back(std::move(output));
      } else {
        const auto& word = peek(1).text;
        if (std::ranges::find(closing, word) != closing.end()) return statements;
        statements.push_back(block());
      }
    }
    if (closing.size() > 0)
      refuse(peek().place, fmt::format("{{% {} %}} is missing", *(closing.end() - 1)));
    return statements;
  }

  Statement block() {
    const auto place = next().place;
    const auto word = want_name("a block");
    if (word == "if") return if_block(place);
    if (word == "for") return for_block(place);
    if (word == "set") return set_block(place);
    refuse(place, fmt::format("the block \"{}\" is not supported here", word));
  }

  Statement if_block(const Place& place) {
    Statement statement{.kind = Statement::Kind::If, .place = place};
    statement.expressions.push_back(expression());
    want_end("an if");
    while (true) {
      statement.bodies.push_back(body({"elif", "else", "endif"}));
      next();  // {%
      const auto word = next().text;
      if (word == "elif") {
        statement.expressions.push_back(expression());
        want_end("an elif");
        continue;
      }
      want_end(word);
      if (word == "endif") return statement;
      statement.expressions.push_back(nullptr);
      statement.bodies.push_back(body({"endif"}));
      next();
      next();
      want_end("endif");
      return statement;
    }
  }

  Statement for_block(const Place& place) {
    Statement statement{.kind = Statement::Kind::For, .text = want_name("a for"), .place = place};
    if (statement.text == "loop") refuse(place, "a loop cannot name its item \"loop\"");
    if (!take_word("in"))
      refuse(peek().place, fmt::format("{} in a for is not supported", shown(peek())));
    statement.expressions.push_back(
        or_expression());  // a condition would belong to the for, not to the list
    want_end("a for");
    statement.bodies.push_back(body({"else", "endfor"}));
    next();
    if (at_word("else")) refuse(peek().place, "else in a for is not supported");
    next();
    want_end("endfor");
    return statement;
  }

  Statement set_block(const Place& place) {
    Statement statement{.kind = Statement::Kind::Set, .text = want_name("a set"), .place = place};
    if (statement.text == "loop") refuse(place, "\"loop\" cannot be set");
    if (!take_operator("="))
      refuse(peek().place, fmt::format("{} in a set is not supported", shown(peek())));
    statement.expressions.push_back(expression());
    want_end("a set");
    return statement;
  }

  // ---- expressions, loosest first, as Jinja ranks them

  template <class... Items>
  static Node make(Expression::Kind kind, const Place& place, std::string text, Items... items) {
    auto node = std::make_unique<Expression>(
        Expression{.kind = kind, .text = std::move(text), .place = place});
    (add(*node, std::move(items)), ...);
    return node;
  }

  static void add(Expression& node, Node item) {
    if (item) node.height = std::max(node.height, item->height + 1);
    if (node.height > kHeightMax) refuse(node.place, "the expression is too long");
    node.items.push_back(std::move(item));
  }

  Node expression() {
    const Deeper deeper(depth_, peek().place);
    auto value = or_expression();
    while (at_word("if")) {
      const auto place = next().place;
      auto condition = or_expression();
      Node other;
      if (take_word("else")) other = expression();
      value = make(Expression::Kind::Choice, place, "", std::move(value), std::move(condition),
                   std::move(other));
    }
    return value;
  }

  Node or_expression() {
    auto left = and_expression();
    while (at_word("or")) {
      const auto place = next().place;
      left = make(Expression::Kind::Or, place, "", std::move(left), and_expression());
    }
    return left;
  }

  Node and_expression() {
    auto left = not_expression();
    while (at_word("and")) {
      const auto place = next().place;
      left = make(Expression::Kind::And, place, "", std::move(left), not_expression());
    }
    return left;
  }

  Node not_expression() {
    if (!at_word("not")) return comparison();
    const auto place = next().place;
    const Deeper deeper(depth_, place);
    return make(Expression::Kind::Not, place, "", not_expression());
  }

  std::string take_comparison() {
    for (const auto* text : {"==", "!=", "<=", ">=", "<", ">"})
      if (take_operator(text)) return text;
    if (take_word("in")) return "in";
    if (at_word("not") && peek(1).kind == Kind::Name && peek(1).text == "in") {
      next();
      next();
      return "not in";
    }
    return "";
  }

  Node comparison() {
    auto left = sum();
    const auto place = peek().place;
    const auto which = take_comparison();
    if (which.empty()) return left;
    left = make(Expression::Kind::Binary, place, which, std::move(left), sum());
    const auto again = peek().place;
    if (!take_comparison().empty()) refuse(again, "a chain of comparisons is not supported");
    return left;
  }

  Node sum() {
    auto left = joined();
    while (at_operator("+") || at_operator("-")) {
      const auto& token = next();
      left = make(Expression::Kind::Binary, token.place, token.text, std::move(left), joined());
    }
    return left;
  }

  Node joined() {
    auto left = product();
    while (at_operator("~")) {
      const auto& token = next();
      left = make(Expression::Kind::Binary, token.place, token.text, std::move(left), product());
    }
    return left;
  }

  Node product() {
    auto left = unary();
    while (at_operator("%")) {
      const auto& token = next();
      left = make(Expression::Kind::Binary, token.place, token.text, std::move(left), unary());
    }
    for (const auto* text : {"*", "/", "//", "**"})
      if (at_operator(text))
        refuse(peek().place, fmt::format("the operator \"{}\" is not supported", text));
    return left;
  }

  Node unary() {
    if (!at_operator("-")) return with_filters(postfix(primary()));
    const auto place = next().place;
    if (peek().kind != Kind::Integer)
      refuse(place, "a minus sign before anything but a number is not supported");
    auto node = with_filters(postfix(primary()));
    return make(Expression::Kind::Negate, place, "", std::move(node));
  }

  Node primary() {
    const auto token = next();
    switch (token.kind) {
      case Kind::Text: {
        auto text = token.text;
        while (peek().kind == Kind::Text)
          text += next().text;  // neighbours are one string, as in Python
        return make(Expression::Kind::Text, token.place, std::move(text));
      }
      case Kind::Integer: {
        auto node = make(Expression::Kind::Integer, token.place, "");
        node->number = std::stoll(token.text);
        return node;
      }
      case Kind::Name:
        return name(token);
      default:
        break;
    }
    if (token.kind == Kind::Operator && token.text == "(") {
      auto inner = expression();
      if (at_operator(",")) refuse(peek().place, "a tuple is not supported");
      want_operator(")");
      return inner;
    }
    if (token.kind == Kind::Operator && token.text == "[") {
      auto list = make(Expression::Kind::List, token.place, "");
      while (!at_operator("]")) {
        add(*list, expression());
        if (!take_operator(",")) break;
      }
      want_operator("]");
      return list;
    }
    if (token.kind == Kind::Operator && token.text == "{")
      refuse(token.place, "a dictionary is not supported");
    refuse(token.place, fmt::format("a value is wanted, not {}", shown(token)));
  }

  Node name(const Token& token) {
    if (token.text == "true" || token.text == "True" || token.text == "false" ||
        token.text == "False") {
      auto node = make(Expression::Kind::Boolean, token.place, "");
      node->number = token.text[0] == 't' || token.text[0] == 'T';
      return node;
    }
    if (token.text == "none" || token.text == "None")
      return make(Expression::Kind::None, token.place, "");
    for (const auto* word : {"if", "else", "and", "or", "not", "in", "is"})
      if (token.text == word)
        refuse(token.place, fmt::format("a value is wanted, not \"{}\"", token.text));
    if (!at_operator("(")) return make(Expression::Kind::Name, token.place, token.text);
    if (token.text != "raise_exception")
      refuse(token.place, fmt::format("the function \"{}\" is not supported", token.text));
    auto call = make(Expression::Kind::Raise, token.place, "");
    for (auto& argument : arguments()) add(*call, std::move(argument));
    if (call->items.size() != 1) refuse(token.place, "raise_exception takes one argument");
    return call;
  }

  std::vector<Node> arguments() {
    std::vector<Node> list;
    want_operator("(");
    while (!at_operator(")")) {
      list.push_back(expression());
      if (at_operator("=")) refuse(peek().place, "a named argument is not supported");
      if (!take_operator(",")) break;
    }
    want_operator(")");
    return list;
  }

  Node postfix(Node value) {
    while (true) {
      const auto place = peek().place;
      if (take_operator(".")) {
        const auto attribute = want_name("an attribute");
        if (!at_operator("(")) {
          value = make(Expression::Kind::Attribute, place, attribute, std::move(value));
          continue;
        }
        if (!is_one_of(kMethods, attribute))
          refuse(place, fmt::format("the method \"{}\" is not supported", attribute));
        auto given = arguments();
        const std::size_t wanted = attribute == "startswith" || attribute == "endswith" ? 1 : 0;
        if (given.size() != wanted)
          refuse(place,
                 fmt::format("{} with {} arguments is not supported", attribute, given.size()));
        value = make(Expression::Kind::Method, place, attribute, std::move(value));
        for (auto& argument : given) add(*value, std::move(argument));
      } else if (take_operator("[")) {
        value = subscript(std::move(value), place);
      } else if (at_operator("(")) {
        refuse(place, "calling a value is not supported");
      } else {
        return value;
      }
    }
  }

  Node subscript(Node value, const Place& place) {
    Node from;
    if (!at_operator(":")) from = expression();
    if (!take_operator(":")) {
      want_operator("]");
      return make(Expression::Kind::Subscript, place, "", std::move(value), std::move(from));
    }
    Node to;
    if (!at_operator("]") && !at_operator(":")) to = expression();
    if (at_operator(":")) refuse(peek().place, "a slice with a step is not supported");
    want_operator("]");
    return make(Expression::Kind::Slice, place, "", std::move(value), std::move(from),
                std::move(to));
  }

  Node with_filters(Node value) {
    while (true) {
      const auto place = peek().place;
      if (take_operator("|")) {
        const auto filter = want_name("a filter");
        if (!is_one_of(kFilters, filter))
          refuse(place, fmt::format("the filter \"{}\" is not supported", filter));
        if (at_operator("(")) {
          if (!arguments().empty())
            refuse(place, fmt::format("the filter \"{}\" with arguments is not supported", filter));
        }
        value = make(Expression::Kind::Filter, place, filter, std::move(value));
      } else if (take_word("is")) {
        const bool negated = take_word("not");
        const auto test = want_name("a test");
        if (!is_one_of(kTests, test))
          refuse(place, fmt::format("the test \"{}\" is not supported", test));
        value = make(Expression::Kind::Test, place, test, std::move(value));
        if (negated) value = make(Expression::Kind::Not, place, "", std::move(value));
      } else {
        return value;
      }
    }
  }

  const std::vector<Token>& tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::vector<Statement> parse(const std::vector<Token>& tokens) { return Parser(tokens).run(); }

}  // namespace hone::rl::chat
