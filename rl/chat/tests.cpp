#include <fmt/format.h>

#include <functional>
#include <map>

#include "rl/chat/filters.h"
#include "rl/chat/operators.h"

namespace hone::rl::chat {
namespace {

using Shape = Sequence::Shape;

bool is_number(const Value& value) {
  return value.as<Int>() || value.as<bool>() || value.as<double>();
}

// What has a length and takes [ ]; to Python an undefined value does.
bool is_sequence(const Value& value) {
  if (const auto* list = value.as<SharedList>()) return (*list)->shape <= Shape::Range;
  return value.text() || value.as<SharedDict>() || value.as<Undefined>();
}

bool is_iterable(const Value& value) {
  return value.text() || value.as<SharedList>() || value.as<SharedDict>() ||
         value.as<SharedStream>() || value.as<Undefined>();
}

bool is_same(const Site& site, const Value& a, const Value& b) {
  const auto single = [](const Value& v) { return v.as<bool>() || v.as<None>(); };
  if (!single(a) && !single(b))
    site.refuse("\"sameas\" with anything but true, false or none is not supported");
  if (a.is.index() != b.is.index()) return false;
  return a.as<None>() || *a.as<bool>() == *b.as<bool>();
}

bool leaves(const Site& site, const Value& value, const Value& by, Int rest) {
  return equal(site, computed(site, "%", value, by), {rest});
}

using Check = std::function<bool(const Site&, const Value&)>;
using Comparison = std::function<bool(const Site&, const Value&, const Value&)>;

const std::map<std::string, Check, std::less<>>& checks() {
  static const std::map<std::string, Check, std::less<>> all = {
      {"defined", [](const Site&, const Value& v) { return !v.as<Undefined>(); }},
      {"undefined", [](const Site&, const Value& v) { return v.as<Undefined>() != nullptr; }},
      {"none", [](const Site&, const Value& v) { return v.as<None>() != nullptr; }},
      {"boolean", [](const Site&, const Value& v) { return v.as<bool>() != nullptr; }},
      {"true", [](const Site&, const Value& v) { return v.as<bool>() && *v.as<bool>(); }},
      {"false", [](const Site&, const Value& v) { return v.as<bool>() && !*v.as<bool>(); }},
      {"integer", [](const Site&, const Value& v) { return v.as<Int>() != nullptr; }},
      {"float", [](const Site&, const Value& v) { return v.as<double>() != nullptr; }},
      {"number", [](const Site&, const Value& v) { return is_number(v); }},
      {"string", [](const Site&, const Value& v) { return v.text() != nullptr; }},
      {"mapping", [](const Site&, const Value& v) { return v.as<SharedDict>() != nullptr; }},
      {"sequence", [](const Site&, const Value& v) { return is_sequence(v); }},
      {"iterable", [](const Site&, const Value& v) { return is_iterable(v); }},
      {"odd", [](const Site& site, const Value& v) { return leaves(site, v, {Int{2}}, 1); }},
      {"even", [](const Site& site, const Value& v) { return leaves(site, v, {Int{2}}, 0); }},
  };
  return all;
}

const std::map<std::string, Comparison, std::less<>>& comparisons() {
  const auto as = [](const char* which) {
    return [which](const Site& site, const Value& a, const Value& b) {
      return compared(site, which, a, b);
    };
  };
  static const std::map<std::string, Comparison, std::less<>> all = {
      {"==", as("==")},
      {"eq", as("==")},
      {"equalto", as("==")},
      {"!=", as("!=")},
      {"ne", as("!=")},
      {"<", as("<")},
      {"lt", as("<")},
      {"lessthan", as("<")},
      {"<=", as("<=")},
      {"le", as("<=")},
      {">", as(">")},
      {"gt", as(">")},
      {"greaterthan", as(">")},
      {">=", as(">=")},
      {"ge", as(">=")},
      {"in", as("in")},
      {"sameas", is_same},
      {"divisibleby",
       [](const Site& site, const Value& a, const Value& b) { return leaves(site, a, b, 0); }},
  };
  return all;
}

}  // namespace

bool is_test(std::string_view name) {
  return checks().contains(name) || comparisons().contains(name);
}

bool tested(const Site& site, const std::string& name, const Value& value,
            const Arguments& arguments) {
  site.step();
  const auto what = fmt::format("the test \"{}\"", name);
  if (const auto found = checks().find(name); found != checks().end()) {
    bind(site, what, {}, 0, arguments);
    return found->second(site, value);
  }
  const auto found = comparisons().find(name);
  if (found == comparisons().end()) site.refuse(fmt::format("{} is not supported", what));
  return found->second(site, value, *bind(site, what, {""}, 1, arguments)[0]);
}

}  // namespace hone::rl::chat
