#include "rl/chat/render.h"

#include <fmt/format.h>

#include <cstddef>

#include "feedback/base/error.h"
#include "rl/chat/filters.h"
#include "rl/chat/functions.h"
#include "rl/chat/members.h"
#include "rl/chat/operators.h"
#include "rl/chat/print.h"
#include "rl/chat/site.h"

namespace hone::rl::chat {
namespace {

using Kind = Expression::Kind;
using Shape = Sequence::Shape;
using Names = std::map<std::string, Value>;

constexpr int kNestingMax = 600;  // of what calls itself here: expressions, bodies, macros

enum class Flow { On, Break, Continue };

struct Loop {
  const std::vector<Value>* items;
  std::size_t at;
};

struct Scope {
  Names names;
  std::optional<Loop> loop;
};

class Renderer {
 public:
  Renderer(Names names, const RenderOptions& options) {
    scopes_.push_back({std::move(names), std::nullopt});
    surroundings_.now = options.now;
  }

  Rendered run(const std::vector<Statement>& statements) {
    all(statements);
    return {std::move(out_), std::move(generated_)};
  }

 private:
  struct Deeper {
    Deeper(int& depth, const Site& site) : depth_(depth) {
      if (++depth_ > kNestingMax) site.refuse("nested too deep");
    }
    ~Deeper() { --depth_; }
    int& depth_;
  };

  Site at(const Place& place) { return {used_, place}; }

  void put(std::string_view text, const Site& site) {
    if (out_.size() + text.size() > kTextMax)
      site.refuse(fmt::format("the text grows past {} bytes", kTextMax));
    site.bytes(text.size());
    out_ += text;
  }

  // ---- statements

  Flow all(const std::vector<Statement>& statements) {
    for (const auto& statement : statements)
      if (const auto flow = one(statement); flow != Flow::On) return flow;
    return Flow::On;
  }

  Flow one(const Statement& statement) {
    const auto site = at(statement.place);
    const Deeper deeper(depth_, site);
    site.step();
    switch (statement.kind) {
      case Statement::Kind::Data:
        put(statement.text, site);
        break;
      case Statement::Kind::Output:
        put(printed(site, evaluate(*statement.expressions[0])), site);
        break;
      case Statement::Kind::Set:
        give(site, statement.target, evaluate(*statement.expressions[0]));
        break;
      case Statement::Kind::SetBlock:
        captured_ = scoped_text(site, statement.bodies[0]);
        give(site, statement.target, evaluate(*statement.expressions[0]));
        break;
      case Statement::Kind::Macro:
        scopes_.back().names[statement.text] = {&statement};
        break;
      case Statement::Kind::Generation:
        generation(statement);
        break;
      case Statement::Kind::For:
        return loop(site, statement);
      case Statement::Kind::If:
        for (std::size_t i = 0; i < statement.bodies.size(); ++i)
          if (statement.expressions[i] == nullptr || is_true(evaluate(*statement.expressions[i])))
            return all(statement.bodies[i]);
        break;
      case Statement::Kind::Break:
        return Flow::Break;
      case Statement::Kind::Continue:
        return Flow::Continue;
    }
    return Flow::On;
  }

  void give(const Site& site, const Target& target, Value value) {
    if (!target.attribute.empty()) return give_attribute(site, target, std::move(value));
    give_names(site, scopes_.back().names, target, std::move(value));
  }

  static void give_names(const Site& site, Names& names, const Target& target, Value value) {
    if (!target.unpacks) {
      names[target.names[0]] = std::move(value);
      return;
    }
    if (value.as<Undefined>()) site.refuse("an undefined value cannot be unpacked");
    auto parts = walk(site, value);
    if (parts.size() != target.names.size())
      site.refuse(fmt::format("{} values cannot be unpacked to {} names", parts.size(),
                              target.names.size()));
    for (std::size_t i = 0; i < parts.size(); ++i) names[target.names[i]] = std::move(parts[i]);
  }

  void give_attribute(const Site& site, const Target& target, Value value) {
    const auto holder = look_up(target.names[0]);
    const auto* space = holder.as<Namespace*>();
    if (space == nullptr)
      site.refuse(fmt::format("an attribute of {} cannot be set", type_of(holder)));
    if (target.attribute.starts_with('_'))
      site.refuse(fmt::format("\"{}\" in a namespace is not supported", target.attribute));
    if (fragile_ > 0)
      site.refuse("setting a namespace inside a loop whose condition reads one is not supported");
    (*space)->attributes.set(target.attribute, std::move(value));
  }

  // The body's text as a value, and what it sets gone after it.
  Value scoped_text(const Site& site, const std::vector<Statement>& body) {
    std::string outside;
    std::swap(outside, out_);
    scopes_.emplace_back();
    all(body);
    scopes_.pop_back();
    std::swap(outside, out_);
    return site.text(std::move(outside));
  }

  void generation(const Statement& statement) {
    const auto begin = out_.size();
    scopes_.emplace_back();
    all(statement.bodies[0]);
    scopes_.pop_back();
    generated_.push_back({begin, out_.size()});
  }

  // What a pass sets is gone after it: Jinja's scope, which templates are written against.
  Flow loop(const Site& site, const Statement& statement) {
    auto items = walk(site, evaluate(*statement.expressions[0]));
    bool fragile = false;
    if (statement.expressions[1] != nullptr) items = kept(site, statement, items, fragile);
    fragile_ += fragile;
    for (std::size_t i = 0; i < items.size(); ++i) {
      site.step();
      scopes_.push_back({{}, Loop{&items, i}});
      give_names(site, scopes_.back().names, statement.target, items[i]);
      const auto flow = all(statement.bodies[0]);
      scopes_.pop_back();
      if (flow == Flow::Break) break;
    }
    fragile_ -= fragile;
    if (!items.empty() || statement.bodies.size() < 2) return Flow::On;
    scopes_.emplace_back();
    const auto flow = all(statement.bodies[1]);
    scopes_.pop_back();
    return flow;
  }

  // Those that meet the loop's condition. Jinja asks between the passes, we before the first:
  // `fragile` says that the answers may change if a pass sets something.
  std::vector<Value> kept(const Site& site, const Statement& statement, std::vector<Value>& items,
                          bool& fragile) {
    std::vector<Value> made;
    const auto reads = namespace_reads_;
    for (auto& item : items) {
      site.step();
      scopes_.emplace_back();
      give_names(site, scopes_.back().names, statement.target, item);
      if (is_true(evaluate(*statement.expressions[1]))) made.push_back(std::move(item));
      scopes_.pop_back();
    }
    fragile = namespace_reads_ != reads;
    return made;
  }

  // ---- names

  // A macro sees its own scopes and the outermost, whoever calls it.
  Value look_up(const std::string& name) const {
    for (auto i = scopes_.size(); i-- > base_;)
      if (const auto found = scopes_[i].names.find(name); found != scopes_[i].names.end())
        return found->second;
    if (const auto found = scopes_[0].names.find(name); found != scopes_[0].names.end())
      return found->second;
    if (const auto function = function_named(name)) return {*function};
    return {Undefined{fmt::format("\"{}\"", name)}};
  }

  const Loop& innermost_loop(const Site& site) const {
    for (auto i = scopes_.size(); i-- > base_;)
      if (scopes_[i].loop) return *scopes_[i].loop;
    site.refuse("\"loop\" is not defined");
  }

  Value loop_value(const Site& site, const std::string& member) const {
    const auto& loop = innermost_loop(site);
    const auto index = static_cast<Int>(loop.at);
    const auto length = static_cast<Int>(loop.items->size());
    if (member == "first") return {index == 0};
    if (member == "last") return {index == length - 1};
    if (member == "index") return {index + 1};
    if (member == "index0") return {index};
    if (member == "revindex") return {length - index};
    if (member == "revindex0") return {length - index - 1};
    if (member == "length") return {length};
    if (member == "depth") return {Int{1}};  // it grows with recursive loops only
    if (member == "depth0") return {Int{0}};
    if (member == "previtem")
      return index > 0 ? (*loop.items)[loop.at - 1] : Value{Undefined{"the item before the first"}};
    return index < length - 1 ? (*loop.items)[loop.at + 1]
                              : Value{Undefined{"the item after the last"}};
  }

  // ---- calls

  Arguments arguments(const Expression& e, std::size_t from) {
    Arguments made;
    const auto named_from = e.items.size() - e.names.size();
    for (auto i = from; i < named_from; ++i) made.given.push_back(evaluate(*e.items[i]));
    for (std::size_t i = 0; i < e.names.size(); ++i)
      made.named.emplace_back(e.names[i], evaluate(*e.items[named_from + i]));
    return made;
  }

  Value call_name(const Site& site, const Expression& e) {
    const auto callee = look_up(e.text);
    const auto given = arguments(e, 0);
    if (const auto* function = callee.as<Function>())
      return call(site, *function, given, surroundings_);
    if (const auto* macro = callee.as<const Statement*>()) return call_macro(site, **macro, given);
    if (callee.as<Undefined>()) site.refuse(fmt::format("\"{}\" is not defined", e.text));
    site.refuse(fmt::format("{} cannot be called", type_of(callee)));
  }

  Value call_macro(const Site& site, const Statement& macro, const Arguments& given) {
    const auto& parameters = macro.target.names;
    const auto bound = bind(site, fmt::format("the macro \"{}\"", macro.text),
                            {parameters.begin(), parameters.end()}, 0, given);
    const auto outer = base_;
    base_ = scopes_.size();
    scopes_.emplace_back();
    // One after the other: a default may use the parameters before it.
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      auto value = bound[i] != nullptr    ? *bound[i]
                   : macro.expressions[i] ? evaluate(*macro.expressions[i])
                                          : Value{Undefined{fmt::format("\"{}\"", parameters[i])}};
      scopes_.back().names[parameters[i]] = std::move(value);
    }
    auto text = scoped_text(site, macro.bodies[0]);
    scopes_.pop_back();
    base_ = outer;
    return text;
  }

  // ---- expressions

  Value evaluate(const Expression& e) {
    const auto site = at(e.place);
    const Deeper deeper(depth_, site);
    site.step();
    switch (e.kind) {
      case Kind::Text:
        return site.text(e.text);
      case Kind::Integer:
        return {e.number};
      case Kind::Float:
        return {e.real};
      case Kind::Boolean:
        return {e.number != 0};
      case Kind::None:
        return {None{}};
      case Kind::Name:
        return look_up(e.text);
      case Kind::List:
        return site.list(each(e));
      case Kind::Tuple:
        return site.list(each(e), Shape::Tuple);
      case Kind::Dict:
        return dictionary(site, e);
      case Kind::Attribute: {
        const auto value = evaluate(*e.items[0]);
        namespace_reads_ += value.as<Namespace*>() != nullptr;
        return attribute(site, value, e.text);
      }
      case Kind::Subscript: {
        const auto value = evaluate(*e.items[0]);
        namespace_reads_ += value.as<Namespace*>() != nullptr;
        return item(site, value, evaluate(*e.items[1]));
      }
      case Kind::Slice:
        return sliced(site, e);
      case Kind::Loop:
        return loop_value(site, e.text);
      case Kind::Cycle:
        return evaluate(*e.items[innermost_loop(site).at % e.items.size()]);
      case Kind::Not:
        return {!is_true(evaluate(*e.items[0]))};
      case Kind::Negate:
        return negated(site, evaluate(*e.items[0]));
      case Kind::Plus:
        return unchanged_number(site, evaluate(*e.items[0]));
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
        return binary(site, e);
      case Kind::Compare:
        return {comparison(site, e)};
      case Kind::Filter: {
        const auto value = evaluate(*e.items[0]);
        return filtered(site, e.text, value, arguments(e, 1));
      }
      case Kind::Test: {
        const auto value = evaluate(*e.items[0]);
        return {tested(site, e.text, value, arguments(e, 1))};
      }
      case Kind::Method: {
        const auto value = evaluate(*e.items[0]);
        return method(site, e.text, value, arguments(e, 1));
      }
      case Kind::Call:
        return call_name(site, e);
      case Kind::Captured:
        return captured_;
    }
    return {};
  }

  std::vector<Value> each(const Expression& e) {
    std::vector<Value> items;
    for (const auto& one : e.items) items.push_back(evaluate(*one));
    return items;
  }

  Value dictionary(const Site& site, const Expression& e) {
    Mapping made;
    for (std::size_t i = 0; i < e.items.size(); i += 2) {
      const auto key = evaluate(*e.items[i]);
      if (key.text() == nullptr)
        site.refuse(fmt::format("{} as a dictionary's key is not supported", type_of(key)));
      made.set(*key.text(), evaluate(*e.items[i + 1]));
    }
    return site.dict(std::move(made));
  }

  Value sliced(const Site& site, const Expression& e) {
    const auto value = evaluate(*e.items[0]);
    Value bounds[3];
    const Value* given[3] = {};
    for (std::size_t i = 0; i < 3; ++i) {
      if (!e.items[i + 1]) continue;
      bounds[i] = evaluate(*e.items[i + 1]);
      given[i] = &bounds[i];
    }
    return slice(site, value, given[0], given[1], given[2]);
  }

  Value binary(const Site& site, const Expression& e) {
    const auto a = evaluate(*e.items[0]);
    const auto b = evaluate(*e.items[1]);
    if (e.text == "~") return site.text(printed(site, a) + printed(site, b));
    return computed(site, e.text, a, b);
  }

  bool comparison(const Site& site, const Expression& e) {
    auto left = evaluate(*e.items[0]);
    for (std::size_t i = 0; i < e.names.size(); ++i) {
      auto right = evaluate(*e.items[i + 1]);
      if (!compared(site, e.names[i], left, right)) return false;
      left = std::move(right);
    }
    return true;
  }

  std::vector<Scope> scopes_;  // the outermost first
  std::size_t base_ = 0;       // the first scope that the macro now carried out sees
  std::string out_;
  std::vector<Rendered::Span> generated_;
  Surroundings surroundings_;
  Value captured_;
  Used used_;
  int depth_ = 0;
  int fragile_ = 0;  // loops now carried out whose condition read a namespace
  std::size_t namespace_reads_ = 0;
};

}  // namespace

Rendered render(const Script& script, std::map<std::string, Value> names,
                const RenderOptions& options) {
  return Renderer(std::move(names), options).run(script.statements);
}

}  // namespace hone::rl::chat
