#include "rl/chat/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "feedback/base/error.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl::chat {
namespace {

using Kind = Expression::Kind;
using Int = std::int64_t;
using Names = std::map<std::string, Value>;

constexpr std::size_t kStepsMax = 1'000'000;
constexpr std::size_t kTextMax = 64'000'000;

std::string type_of(const Value& value) {
  constexpr const char* kTypes[] = {"an undefined value", "none",   "a truth value", "an integer",
                                    "a string",           "a list", "a dictionary"};
  return kTypes[value.is.index()];
}

bool is_true(const Value& value) {
  if (const auto* b = value.as<bool>()) return *b;
  if (const auto* i = value.as<Int>()) return *i != 0;
  if (const auto* s = value.as<std::string>()) return !s->empty();
  if (const auto* l = value.as<List>()) return !(*l)->empty();
  if (const auto* d = value.as<Dict>()) return !(*d)->empty();
  return false;
}

// In Python a truth value is the integer 0 or 1.
const Int* integer(const Value& value, Int& store) {
  if (const auto* i = value.as<Int>()) return i;
  if (const auto* b = value.as<bool>()) {
    store = *b;
    return &store;
  }
  return nullptr;
}

bool equal(const Value& a, const Value& b) {
  Int x = 0;
  Int y = 0;
  if (const auto* left = integer(a, x))
    if (const auto* right = integer(b, y)) return *left == *right;
  if (a.is.index() != b.is.index()) return false;
  if (const auto* s = a.as<std::string>()) return *s == *b.as<std::string>();
  if (const auto* l = a.as<List>()) {
    const auto& other = *b.as<List>();
    return std::equal((*l)->begin(), (*l)->end(), other->begin(), other->end(), equal);
  }
  if (const auto* d = a.as<Dict>()) {
    const auto& other = *b.as<Dict>();
    return std::equal((*d)->begin(), (*d)->end(), other->begin(), other->end(),
                      [](const auto& p, const auto& q) {
                        return p.first == q.first && equal(p.second, q.second);
                      });
  }
  return true;  // none and none, undefined and undefined
}

std::string stripped(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    const auto [value, size] = code_point_at(text, 0);
    if (!is_space(value)) break;
    text.remove_prefix(size);
  }
  while (right && !text.empty()) {
    auto at = text.size() - 1;
    while ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    if (!is_space(code_point_at(text, at).value)) break;
    text = text.substr(0, at);
  }
  return std::string(text);
}

Int characters(std::string_view text) {
  return std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

class Renderer {
 public:
  explicit Renderer(Names names) { scopes_.push_back(std::move(names)); }

  std::string run(const std::vector<Statement>& statements) {
    all(statements);
    return std::move(out_);
  }

 private:
  void step(const Place& place) {
    if (++steps_ > kStepsMax)
      refuse(place, fmt::format("the template takes more than {} steps", kStepsMax));
  }

  void put(std::string_view text, const Place& place) {
    if (out_.size() + text.size() > kTextMax)
      refuse(place, fmt::format("the text grows past {} bytes", kTextMax));
    out_ += text;
  }

  // ---- statements

  void all(const std::vector<Statement>& statements) {
    for (const auto& statement : statements) one(statement);
  }

  void one(const Statement& statement) {
    step(statement.place);
    switch (statement.kind) {
      case Statement::Kind::Data:
        put(statement.text, statement.place);
        break;
      case Statement::Kind::Output:
        put(printed(evaluate(*statement.expressions[0]), statement.place), statement.place);
        break;
      case Statement::Kind::Set:
        scopes_.back()[statement.text] = evaluate(*statement.expressions[0]);
        break;
      case Statement::Kind::For:
        loop(statement);
        break;
      case Statement::Kind::If:
        for (std::size_t i = 0; i < statement.bodies.size(); ++i)
          if (statement.expressions[i] == nullptr || is_true(evaluate(*statement.expressions[i])))
            return all(statement.bodies[i]);
        break;
    }
  }

  // What a pass sets is gone after it: Jinja's scope, which templates are written against.
  void loop(const Statement& statement) {
    const auto source = evaluate(*statement.expressions[0]);
    if (source.as<Undefined>()) return;
    const auto* list = source.as<List>();
    if (list == nullptr)
      refuse(statement.place, fmt::format("a loop over {} is not supported", type_of(source)));
    const auto length = static_cast<Int>((*list)->size());
    for (Int i = 0; i < length; ++i) {
      step(statement.place);
      scopes_.push_back({});
      auto& scope = scopes_.back();
      scope[statement.text] = (**list)[static_cast<std::size_t>(i)];
      scope["loop"] = {std::make_shared<const Names>(Names{{"first", {i == 0}},
                                                           {"last", {i == length - 1}},
                                                           {"index", {i + 1}},
                                                           {"index0", {i}},
                                                           {"revindex", {length - i}},
                                                           {"revindex0", {length - i - 1}},
                                                           {"length", {length}}})};
      all(statement.bodies[0]);
      scopes_.pop_back();
    }
  }

  std::string printed(const Value& value, const Place& place) const {
    if (const auto* s = value.as<std::string>()) return *s;
    if (const auto* i = value.as<Int>()) return std::to_string(*i);
    if (const auto* b = value.as<bool>()) return *b ? "True" : "False";
    if (value.as<Undefined>()) return "";
    if (value.as<None>()) return "None";
    refuse(place, fmt::format("printing {} is not supported", type_of(value)));
  }

  // ---- expressions

  Value evaluate(const Expression& e) {
    step(e.place);
    switch (e.kind) {
      case Kind::Text:
        return {e.text};
      case Kind::Integer:
        return {e.number};
      case Kind::Boolean:
        return {e.number != 0};
      case Kind::None:
        return {None{}};
      case Kind::Name:
        return look_up(e.text);
      case Kind::List:
        return list(e);
      case Kind::Attribute:
        return member(evaluate(*e.items[0]), e.text, e.place);
      case Kind::Subscript:
        return subscript(e);
      case Kind::Slice:
        return slice(e);
      case Kind::Not:
        return {!is_true(evaluate(*e.items[0]))};
      case Kind::Negate:
        return {-whole(evaluate(*e.items[0]), e.place)};
      case Kind::And: {
        auto left = evaluate(*e.items[0]);
        return is_true(left) ? evaluate(*e.items[1]) : left;
      }
      case Kind::Or: {
        auto left = evaluate(*e.items[0]);
        return is_true(left) ? left : evaluate(*e.items[1]);
      }
      case Kind::Choice:
        if (is_true(evaluate(*e.items[1]))) return evaluate(*e.items[0]);
        return e.items[2] ? evaluate(*e.items[2]) : Value{Undefined{"the other branch"}};
      case Kind::Binary:
        return binary(e);
      case Kind::Filter:
        return filter(e);
      case Kind::Test:
        return {test(e)};
      case Kind::Method:
        return method(e);
      case Kind::Raise:
        throw Error(Code::Invalid,
                    fmt::format("the chat template refuses this conversation: {}",
                                printed(evaluate(*e.items[0]), e.place)),
                    "messages");
    }
    return {};
  }

  Value look_up(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
      if (const auto found = scope->find(name); found != scope->end()) return found->second;
    return {Undefined{fmt::format("\"{}\"", name)}};
  }

  Value list(const Expression& e) {
    auto items = std::make_shared<std::vector<Value>>();
    for (const auto& item : e.items) items->push_back(evaluate(*item));
    return {List(std::move(items))};
  }

  Value member(const Value& value, const std::string& name, const Place& place) const {
    if (const auto* undefined = value.as<Undefined>())
      refuse(place, fmt::format("{} is not defined", undefined->what));
    if (const auto* dict = value.as<Dict>())
      if (const auto found = (*dict)->find(name); found != (*dict)->end()) return found->second;
    return {Undefined{fmt::format("\"{}\" of {}", name, type_of(value))}};
  }

  Int whole(const Value& value, const Place& place) const {
    Int store = 0;
    const auto* i = integer(value, store);
    if (i == nullptr) refuse(place, fmt::format("an integer is wanted, not {}", type_of(value)));
    return *i;
  }

  const List& as_list(const Value& value, const Place& place) const {
    if (const auto* undefined = value.as<Undefined>())
      refuse(place, fmt::format("{} is not defined", undefined->what));
    const auto* found = value.as<List>();
    if (found == nullptr) refuse(place, fmt::format("a list is wanted, not {}", type_of(value)));
    return *found;
  }

  Value subscript(const Expression& e) {
    const auto value = evaluate(*e.items[0]);
    const auto key = evaluate(*e.items[1]);
    if (const auto* name = key.as<std::string>()) return member(value, *name, e.place);
    const auto& items = *as_list(value, e.place);
    auto index = whole(key, e.place);
    const auto size = static_cast<Int>(items.size());
    if (index < 0) index += size;
    if (index < 0 || index >= size)
      return {Undefined{fmt::format("element {} of a list of {}", whole(key, e.place), size)}};
    return items[static_cast<std::size_t>(index)];
  }

  Value slice(const Expression& e) {
    const auto value = evaluate(*e.items[0]);
    const auto& items = *as_list(value, e.place);
    const auto size = static_cast<Int>(items.size());
    const auto bound = [&](std::size_t which, Int absent) {
      if (!e.items[which]) return absent;
      auto at = whole(evaluate(*e.items[which]), e.place);
      if (at < 0) at += size;
      return std::clamp<Int>(at, 0, size);
    };
    const auto from = bound(1, 0);
    const auto to = std::max(from, bound(2, size));
    return {std::make_shared<const std::vector<Value>>(items.begin() + from, items.begin() + to)};
  }

  Value binary(const Expression& e) {
    const auto a = evaluate(*e.items[0]);
    const auto b = evaluate(*e.items[1]);
    const auto& which = e.text;
    if (which == "==") return {equal(a, b)};
    if (which == "!=") return {!equal(a, b)};
    if (which == "in") return {contains(b, a, e.place)};
    if (which == "not in") return {!contains(b, a, e.place)};
    if (which == "~") return {bounded(printed(a, e.place) + printed(b, e.place), e.place)};
    if (which == "+") return plus(a, b, e.place);
    if (which == "-") return {whole(a, e.place) - whole(b, e.place)};
    if (which == "%") {
      const auto divisor = whole(b, e.place);
      if (divisor == 0) refuse(e.place, "a division by zero");
      const auto left = whole(a, e.place);
      return {((left % divisor) + divisor) % divisor};  // Python's sign
    }
    return {ordered(which, a, b, e.place)};
  }

  bool ordered(const std::string& which, const Value& a, const Value& b, const Place& place) const {
    int order = 0;
    if (const auto* s = a.as<std::string>(); s != nullptr && b.as<std::string>()) {
      order = s->compare(*b.as<std::string>());
    } else {
      const auto x = whole(a, place);
      const auto y = whole(b, place);
      order = x < y ? -1 : x > y;
    }
    if (which == "<") return order < 0;
    if (which == "<=") return order <= 0;
    if (which == ">") return order > 0;
    return order >= 0;
  }

  std::string bounded(std::string text, const Place& place) const {
    if (text.size() > kTextMax)
      refuse(place, fmt::format("a string grows past {} bytes", kTextMax));
    return text;
  }

  Value plus(const Value& a, const Value& b, const Place& place) const {
    if (const auto* s = a.as<std::string>(); s != nullptr && b.as<std::string>())
      return {bounded(*s + *b.as<std::string>(), place)};
    if (const auto* l = a.as<List>(); l != nullptr && b.as<List>()) {
      auto items = std::make_shared<std::vector<Value>>(**l);
      items->insert(items->end(), (*b.as<List>())->begin(), (*b.as<List>())->end());
      if (items->size() > kStepsMax) refuse(place, "a list grows too long");
      return {List(std::move(items))};
    }
    Int x = 0;
    Int y = 0;
    const auto* left = integer(a, x);
    const auto* right = integer(b, y);
    if (left == nullptr || right == nullptr)
      refuse(place, fmt::format("{} plus {} is no value", type_of(a), type_of(b)));
    return {*left + *right};
  }

  bool contains(const Value& where, const Value& what, const Place& place) const {
    if (where.as<Undefined>()) return false;
    if (const auto* l = where.as<List>())
      return std::ranges::any_of(**l, [&](const Value& item) { return equal(item, what); });
    const auto* text = what.as<std::string>();
    if (const auto* d = where.as<Dict>()) return text != nullptr && (*d)->contains(*text);
    const auto* s = where.as<std::string>();
    if (s == nullptr || text == nullptr)
      refuse(place, fmt::format("{} in {} is no question", type_of(what), type_of(where)));
    return s->find(*text) != std::string::npos;
  }

  Value filter(const Expression& e) {
    const auto value = evaluate(*e.items[0]);
    if (e.text == "trim") return {stripped(printed(value, e.place), true, true)};
    if (e.text == "string") return {printed(value, e.place)};
    if (value.as<Undefined>()) return {Int{0}};
    if (const auto* s = value.as<std::string>()) return {characters(*s)};
    if (const auto* d = value.as<Dict>()) return {static_cast<Int>((*d)->size())};
    return {static_cast<Int>(as_list(value, e.place)->size())};
  }

  bool test(const Expression& e) {
    const auto value = evaluate(*e.items[0]);
    if (e.text == "defined") return !value.as<Undefined>();
    if (e.text == "undefined") return value.as<Undefined>();
    if (e.text == "none") return value.as<None>();
    if (e.text == "string") return value.as<std::string>();
    const auto* truth = value.as<bool>();
    return truth != nullptr && *truth == (e.text == "true");
  }

  Value method(const Expression& e) {
    const auto value = evaluate(*e.items[0]);
    const auto* text = value.as<std::string>();
    if (text == nullptr)
      refuse(e.place, fmt::format("{} has no method \"{}\"", type_of(value), e.text));
    if (e.text == "strip") return {stripped(*text, true, true)};
    if (e.text == "lstrip") return {stripped(*text, true, false)};
    if (e.text == "rstrip") return {stripped(*text, false, true)};
    const auto argument = evaluate(*e.items[1]);
    const auto* other = argument.as<std::string>();
    if (other == nullptr) refuse(e.place, fmt::format("{} wants a string", e.text));
    return {e.text == "startswith" ? text->starts_with(*other) : text->ends_with(*other)};
  }

  std::vector<Names> scopes_;
  std::string out_;
  std::size_t steps_ = 0;
};

}  // namespace

std::string render(const std::vector<Statement>& statements, Names names) {
  return Renderer(std::move(names)).run(statements);
}

}  // namespace hone::rl::chat
