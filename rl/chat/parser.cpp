#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "rl/chat/filters.h"
#include "rl/chat/functions.h"
#include "rl/chat/names.h"
#include "rl/chat/syntax.h"
#include "rl/chat/token_reader.h"

namespace hone::rl::chat {
namespace {

using Node = std::unique_ptr<Expression>;

constexpr int kDepthMax = 64;    // of nested expressions and blocks: the parser calls itself
constexpr int kHeightMax = 500;  // of an expression's tree: a + b + c + ... nests to the left

// Names that mean something of their own in Jinja, and nothing here.
constexpr std::array<std::string_view, 8> kReserved = {"self",   "super",  "caller", "varargs",
                                                       "kwargs", "lipsum", "cycler", "joiner"};
constexpr std::array<std::string_view, 7> kWords = {"if", "else", "and", "or", "not", "in", "is"};
constexpr std::array<std::string_view, 6> kConstants = {"true",  "True", "false",
                                                        "False", "none", "None"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

class Parser : private TokenReader {
 public:
  explicit Parser(const std::vector<Token>& tokens) : TokenReader(tokens) {}

  Script run() {
    Script script{body({}), {}};
    if (peek().kind != Kind::Finish) refuse(peek().place, "a closing tag has nothing to close");
    for (const auto& [name, place] : called_)
      if (!function_named(name) && !macros_.contains(name))
        refuse(place, fmt::format("the function \"{}\" is not supported", name));
    script.late = names_.late();
    return script;
  }

 private:
  struct Deeper {
    Deeper(int& depth, const Place& place) : depth_(depth) {
      if (++depth_ > kDepthMax) refuse(place, "nested too deep");
    }
    ~Deeper() { --depth_; }
    int& depth_;
  };

  // What a body may hold, and its scope.
  struct Inside {
    bool loop = false;      // break and continue
    bool captured = false;  // its text is a value: no place for generation
    bool scope = false;     // a macro there would be a closure
  };

  // The body of a block that has a scope of its own, in which `names` are set.
  std::vector<Statement> scoped(Inside inside, const Target& names,
                                std::initializer_list<std::string_view> closing) {
    names_.open();
    names_.set(names);
    inside.scope = true;
    std::swap(inside, inside_);
    auto statements = body(closing);
    std::swap(inside, inside_);
    names_.close();
    return statements;
  }

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
        output.expressions.push_back(tuple(true));
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
    if (word == "macro") return macro_block(place);
    if (word == "generation") return generation_block(place);
    if (word == "break" || word == "continue") {
      if (!inside_.loop) refuse(place, fmt::format("\"{}\" outside a loop", word));
      want_end(word);
      return {.kind = word == "break" ? Statement::Kind::Break : Statement::Kind::Continue,
              .place = place};
    }
    refuse(place, fmt::format("the block \"{}\" is not supported here", word));
  }

  Statement if_block(const Place& place) {
    Statement statement{.kind = Statement::Kind::If, .place = place};
    statement.expressions.push_back(tuple(false));
    want_end("an if");
    while (true) {
      statement.bodies.push_back(body({"elif", "else", "endif"}));
      next();  // {%
      const auto word = next().text;
      if (word == "elif") {
        statement.expressions.push_back(tuple(false));
        want_end("an elif");
        continue;
      }
      want_end(word);
      if (word == "endif") return statement;
      statement.expressions.push_back(nullptr);
      statement.bodies.push_back(body({"endif"}));
      close("endif");
      return statement;
    }
  }

  // {% word %}, of which the body before it made sure.
  void close(std::string_view word) {
    next();
    next();
    want_end(word);
  }

  std::string want_settable(std::string_view of) {
    const auto place = peek().place;
    auto name = want_name(of);
    if (name == "loop" || is_one_of(kReserved, name) || is_one_of(kWords, name) ||
        is_one_of(kConstants, name))
      refuse(place, fmt::format("\"{}\" cannot be set in {}", name, of));
    return name;
  }

  // a or a, b or (a, b), or ns.a where a namespace may be.
  Target target(std::string_view of, bool with_namespace) {
    Target made;
    const bool enclosed = take_operator("(");
    made.names.push_back(want_settable(of));
    if (with_namespace && !enclosed && at_operator(".")) {
      next();
      made.attribute = want_name(of);
      return made;
    }
    while (take_operator(",")) {
      made.unpacks = true;
      if (peek().kind != Kind::Name || at_word("in")) break;
      made.names.push_back(want_settable(of));
    }
    if (enclosed) want_operator(")");
    return made;
  }

  Statement for_block(const Place& place) {
    Statement statement{.kind = Statement::Kind::For, .place = place};
    statement.target = target("a for", false);
    if (!take_word("in"))
      refuse(peek().place, fmt::format("{} in a for is not supported", shown(peek())));
    // A condition would belong to the for, not to the list.
    statement.expressions.push_back(tuple(false));
    statement.expressions.push_back(take_word("if") ? condition(statement.target) : nullptr);
    want_end("a for");
    auto inside = inside_;
    inside.loop = true;
    statement.bodies.push_back(scoped(inside, statement.target, {"else", "endfor"}));
    if (peek(1).text == "else") {
      close("else");
      statement.bodies.push_back(scoped(inside_, {}, {"endfor"}));
    }
    close("endfor");
    return statement;
  }

  Node condition(const Target& names) {
    names_.open();
    names_.set(names);
    in_condition_ = true;
    auto made = expression();
    in_condition_ = false;
    names_.close();
    return made;
  }

  Statement set_block(const Place& place) {
    Statement statement{.kind = Statement::Kind::Set, .place = place};
    statement.target = target("a set", true);
    if (!statement.target.attribute.empty()) names_.read(statement.target.names[0], place);
    if (take_operator("=")) {
      statement.expressions.push_back(tuple(true));
      want_end("a set");
    } else {
      if (!at_operator("|") && peek().kind != Kind::End)
        refuse(peek().place, fmt::format("{} in a set is not supported", shown(peek())));
      statement.kind = Statement::Kind::SetBlock;
      auto captured = make(Expression::Kind::Captured, place, "");
      while (at_operator("|")) captured = filter(std::move(captured));
      statement.expressions.push_back(std::move(captured));
      want_end("a set");
      statement.bodies.push_back(scoped({.captured = true}, {}, {"endset"}));
      close("endset");
    }
    names_.set(statement.target);
    return statement;
  }

  Statement macro_block(const Place& place) {
    if (inside_.scope)
      refuse(place, "the block \"macro\" inside a for, set, macro or generation is not supported");
    Statement statement{.kind = Statement::Kind::Macro, .place = place};
    statement.text = want_settable("a macro");
    names_.set(statement.text);
    macros_.insert(statement.text);
    want_operator("(");
    names_.open();
    auto& parameters = statement.target.names;
    while (!at_operator(")")) {
      if (!parameters.empty()) want_operator(",");
      const auto at = peek().place;
      parameters.push_back(want_settable("a macro"));
      if (std::ranges::count(parameters, parameters.back()) > 1)
        refuse(at, fmt::format("the macro's parameter \"{}\" comes twice", parameters.back()));
      names_.set(parameters.back());
      const bool has_default = take_operator("=");
      if (!has_default && !statement.expressions.empty() && statement.expressions.back())
        refuse(at, "a parameter without a default after one with a default");
      statement.expressions.push_back(has_default ? expression() : nullptr);
    }
    want_operator(")");
    want_end("a macro");
    names_.close();
    statement.bodies.push_back(scoped({.captured = true}, statement.target, {"endmacro"}));
    close("endmacro");
    return statement;
  }

  // A scope of its own, as it is a macro's body to Jinja.
  Statement generation_block(const Place& place) {
    if (inside_.captured)
      refuse(place, "the block \"generation\" inside a set, macro or generation is not supported");
    Statement statement{.kind = Statement::Kind::Generation, .place = place};
    want_end("generation");
    statement.bodies.push_back(scoped({.captured = true}, {}, {"endgeneration"}));
    close("endgeneration");
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

  // One value, or several with commas between them; `with_choice`: an if may stand in it.
  Node tuple(bool with_choice) {
    const auto place = peek().place;
    auto one = with_choice ? expression() : or_expression();
    if (!at_operator(",")) return one;
    auto made = make(Expression::Kind::Tuple, place, "", std::move(one));
    while (take_operator(",")) {
      if (peek().kind == Kind::End || at_operator(")") || at_word("if")) break;
      add(*made, with_choice ? expression() : or_expression());
    }
    return made;
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
    auto which = take_comparison();
    if (which.empty()) return left;
    auto chain = make(Expression::Kind::Compare, place, "", std::move(left));
    for (; !which.empty(); which = take_comparison()) {
      chain->names.push_back(which);
      add(*chain, sum());
    }
    return chain;
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
    auto left = power();
    while (at_operator("*") || at_operator("/") || at_operator("//") || at_operator("%")) {
      const auto& token = next();
      left = make(Expression::Kind::Binary, token.place, token.text, std::move(left), power());
    }
    return left;
  }

  Node power() {  // to the left, unlike Python's
    auto left = unary(true);
    while (at_operator("**")) {
      const auto& token = next();
      left = make(Expression::Kind::Binary, token.place, token.text, std::move(left), unary(true));
    }
    return left;
  }

  Node unary(bool with_filter) {
    Node value;
    if (at_operator("-") || at_operator("+")) {
      const auto& token = next();
      const Deeper deeper(depth_, token.place);
      const auto kind = token.text == "-" ? Expression::Kind::Negate : Expression::Kind::Plus;
      value = make(kind, token.place, "", unary(false));
    } else {
      value = primary();
    }
    value = postfix(std::move(value));
    return with_filter ? with_filters(std::move(value)) : std::move(value);
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
      case Kind::Integer:
        return number(token, Expression::Kind::Integer, &Expression::number);
      case Kind::Float:
        return number(token, Expression::Kind::Float, &Expression::real);
      case Kind::Name:
        return name(token);
      default:
        break;
    }
    if (token.kind == Kind::Operator && token.text == "(") {
      if (take_operator(")")) return make(Expression::Kind::Tuple, token.place, "");
      auto inner = tuple(true);
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
    if (token.kind == Kind::Operator && token.text == "{") return dictionary(token.place);
    refuse(token.place, fmt::format("a value is wanted, not {}", shown(token)));
  }

  template <class T>
  static Node number(const Token& token, Expression::Kind kind, T Expression::*held) {
    auto node = make(kind, token.place, "");
    const auto* end = token.text.data() + token.text.size();
    if (std::from_chars(token.text.data(), end, (*node).*held).ec != std::errc{})
      refuse(token.place, "the number is too large");
    return node;
  }

  Node dictionary(const Place& place) {
    auto made = make(Expression::Kind::Dict, place, "");
    while (!at_operator("}")) {
      add(*made, expression());
      want_operator(":");
      add(*made, expression());
      if (!take_operator(",")) break;
    }
    want_operator("}");
    return made;
  }

  Node name(const Token& token) {
    if (is_one_of(kConstants, token.text)) {
      const char letter = token.text[0] | 0x20;
      if (letter == 'n') return make(Expression::Kind::None, token.place, "");
      auto node = make(Expression::Kind::Boolean, token.place, "");
      node->number = letter == 't';
      return node;
    }
    if (is_one_of(kWords, token.text))
      refuse(token.place, fmt::format("a value is wanted, not \"{}\"", token.text));
    if (is_one_of(kReserved, token.text))
      refuse(token.place, fmt::format("\"{}\" is not supported", token.text));
    if (token.text == "loop") return loop_member(token.place);
    names_.read(token.text, token.place);
    if (!at_operator("(")) return make(Expression::Kind::Name, token.place, token.text);
    called_.push_back({token.text, token.place});
    return call(make(Expression::Kind::Call, token.place, token.text));
  }

  Node loop_member(const Place& place) {
    if (in_condition_) refuse(place, "\"loop\" in a loop's condition is not supported");
    if (!take_operator(".")) refuse(place, "\"loop\" by itself is not supported");
    const auto member = want_name("a loop");
    if (member == "cycle" && at_operator("(")) {
      auto cycle = call(make(Expression::Kind::Cycle, place, member));
      if (cycle->items.empty() || !cycle->names.empty())
        refuse(place, "loop.cycle wants values, without names");
      return cycle;
    }
    constexpr std::array<std::string_view, 11> kMembers = {
        "first",  "last",     "index",    "index0", "revindex", "revindex0",
        "length", "previtem", "nextitem", "depth",  "depth0"};
    if (!is_one_of(kMembers, member))
      refuse(place, fmt::format("\"loop.{}\" is not supported", member));
    return make(Expression::Kind::Loop, place, member);
  }

  // The arguments in parentheses, added to `node`.
  Node call(Node node) {
    want_operator("(");
    while (!at_operator(")")) {
      const auto place = peek().place;
      if (at_operator("*") || at_operator("**"))
        refuse(place, fmt::format("{} before an argument is not supported", shown(peek())));
      if (peek().kind == Kind::Name && peek(1).kind == Kind::Operator && peek(1).text == "=") {
        node->names.push_back(next().text);
        next();
        if (std::ranges::count(node->names, node->names.back()) > 1)
          refuse(place, fmt::format("the argument \"{}\" comes twice", node->names.back()));
      } else if (!node->names.empty()) {
        refuse(place, "an argument without a name after one with a name");
      }
      add(*node, expression());
      if (!take_operator(",")) break;
    }
    want_operator(")");
    return node;
  }

  Node postfix(Node value) {
    while (true) {
      const auto place = peek().place;
      if (take_operator(".")) {
        value = member(std::move(value), place);
      } else if (take_operator("[")) {
        value = subscript(std::move(value), place);
      } else if (at_operator("(")) {
        refuse(place, "calling a value is not supported");
      } else {
        return value;
      }
    }
  }

  Node member(Node value, const Place& place) {
    if (peek().kind == Kind::Integer) {
      auto index = primary();
      return make(Expression::Kind::Subscript, place, "", std::move(value), std::move(index));
    }
    const auto name = want_name("an attribute");
    if (!at_operator("(")) return make(Expression::Kind::Attribute, place, name, std::move(value));
    if (!is_method(name)) refuse(place, fmt::format("the method \"{}\" is not supported", name));
    return call(make(Expression::Kind::Method, place, name, std::move(value)));
  }

  Node subscript(Node value, const Place& place) {
    Node from;
    if (!at_operator(":")) from = expression();
    if (!take_operator(":")) {
      want_operator("]");
      return make(Expression::Kind::Subscript, place, "", std::move(value), std::move(from));
    }
    Node to;
    Node by;
    if (!at_operator("]") && !at_operator(":")) to = expression();
    if (take_operator(":") && !at_operator("]")) by = expression();
    want_operator("]");
    return make(Expression::Kind::Slice, place, "", std::move(value), std::move(from),
                std::move(to), std::move(by));
  }

  Node with_filters(Node value) {
    while (true) {
      if (at_operator("|"))
        value = filter(std::move(value));
      else if (at_word("is"))
        value = test(std::move(value));
      else if (at_operator("("))
        refuse(peek().place, "calling a value is not supported");
      else
        return value;
    }
  }

  Node filter(Node value) {
    const auto place = next().place;
    const auto name = want_name("a filter");
    if (!is_filter(name) || at_operator("."))
      refuse(place, fmt::format("the filter \"{}\" is not supported", name));
    value = make(Expression::Kind::Filter, place, name, std::move(value));
    return at_operator("(") ? call(std::move(value)) : std::move(value);
  }

  Node test(Node value) {
    const auto place = next().place;
    const bool negated = take_word("not");
    const auto name = want_name("a test");
    if (!is_test(name) || at_operator("."))
      refuse(place, fmt::format("the test \"{}\" is not supported", name));
    value = make(Expression::Kind::Test, place, name, std::move(value));
    if (at_operator("(")) {
      value = call(std::move(value));
    } else if (begins_argument()) {
      auto argument = postfix(primary());
      add(*value, std::move(argument));
    }
    if (!negated) return value;
    return make(Expression::Kind::Not, place, "", std::move(value));
  }

  // After a test's name: x is divisibleby 3. Jinja takes any word but these for the argument, so
  // `x is defined if y` is refused there, and here.
  bool begins_argument() const {
    if (peek().kind == Kind::Name) return !at_word("else") && !at_word("or") && !at_word("and");
    return peek().kind == Kind::Text || peek().kind == Kind::Integer ||
           peek().kind == Kind::Float || at_operator("[") || at_operator("{");
  }

  int depth_ = 0;
  Inside inside_;
  bool in_condition_ = false;
  NameScopes names_;
  std::set<std::string> macros_;
  std::vector<std::pair<std::string, Place>> called_;
};

}  // namespace

Script parse(const std::vector<Token>& tokens) { return Parser(tokens).run(); }

}  // namespace hone::rl::chat
