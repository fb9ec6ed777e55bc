#include "rl/chat/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "rl/chat/text.h"

namespace hone::rl::chat {
namespace {

constexpr Int kExactMax = Int{1} << 53;  // integers up to here are exact as floats

using Shape = Sequence::Shape;

bool is_number(const Value& value) {
  return value.as<Int>() || value.as<bool>() || value.as<double>();
}

// The value as a float, exactly.
double real(const Site& site, const Value& value) {
  if (const auto* f = value.as<double>()) return *f;
  const auto i = whole(site, value);
  if (i > kExactMax || i < -kExactMax)
    site.refuse("an integer this large beside a float is not supported");
  return static_cast<double>(i);
}

int order_of(const Site& site, const Value& a, const Value& b) {
  Int x = 0;
  Int y = 0;
  const auto* left = integer(a, x);
  const auto* right = integer(b, y);
  if (left != nullptr && right != nullptr) return *left < *right ? -1 : *left > *right;
  const double p = real(site, a);
  const double q = real(site, b);
  if (std::isnan(p) || std::isnan(q)) site.refuse("comparing with nan is not supported");
  return p < q ? -1 : p > q;
}

bool equal_items(const Site& site, const Sequence& a, const Sequence& b) {
  if (a.shape != b.shape) return false;
  if (a.shape != Shape::List && a.shape != Shape::Tuple && a.shape != Shape::Range)
    site.refuse("comparing a dictionary's keys, values or items is not supported");
  if (a.items.size() != b.items.size()) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i)
    if (!equal(site, a.items[i], b.items[i])) return false;
  return true;
}

bool equal_mappings(const Site& site, const Mapping& a, const Mapping& b) {
  if (a.items.size() != b.items.size()) return false;
  for (const auto& [key, value] : a.items) {
    const auto* other = b.find(key);
    if (other == nullptr || !equal(site, value, *other)) return false;
  }
  return true;
}

[[noreturn]] void refuse_operands(const Site& site, std::string_view which, const Value& a,
                                  const Value& b) {
  const auto word = which == "+" ? "plus" : which == "-" ? "minus" : which;
  site.refuse(fmt::format("{} {} {} is no value", type_of(a), word, type_of(b)));
}

// With the sign of the divisor, as Python's.
Int floor_remainder(Int a, Int b) {
  if (b == -1) return 0;  // the machine's remainder traps for the smallest integer
  const auto rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

Int power(const Site& site, Int base, Int exponent) {
  if (exponent < 0) site.refuse("a negative power is not supported");
  if (base == 0 || base == 1) return exponent == 0 ? 1 : base;
  if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  Int made = 1;
  for (Int i = 0; i < exponent; ++i)
    if (__builtin_mul_overflow(made, base, &made)) site.refuse("the integer is too large");
  return made;
}

Value computed_whole(const Site& site, std::string_view which, Int a, Int b) {
  Int made = 0;
  bool over = false;
  if (which == "+") {
    over = __builtin_add_overflow(a, b, &made);
  } else if (which == "-") {
    over = __builtin_sub_overflow(a, b, &made);
  } else if (which == "*") {
    over = __builtin_mul_overflow(a, b, &made);
  } else if (which == "**") {
    made = power(site, a, b);
  } else {
    if (b == 0) site.refuse("a division by zero");
    if (which == "%") {
      made = floor_remainder(a, b);
    } else if (which == "/") {
      return {real(site, {a}) / real(site, {b})};
    } else if (b == -1) {
      over = __builtin_sub_overflow(Int{0}, a, &made);
    } else {
      made = (a - floor_remainder(a, b)) / b;
    }
  }
  if (over) site.refuse("the integer is too large");
  return {made};
}

// Python's float_divmod: the remainder is exact, the quotient a whole number.
Value computed_real(const Site& site, std::string_view which, double a, double b) {
  if (which == "+") return {a + b};
  if (which == "-") return {a - b};
  if (which == "*") return {a * b};
  if (which == "**") site.refuse("powers of floats are not supported");
  if (b == 0) site.refuse("a division by zero");
  if (which == "/") return {a / b};
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0) {
    if ((b < 0) != (rest < 0)) {
      rest += b;
      quotient -= 1;
    }
  } else {
    rest = std::copysign(0.0, b);
  }
  if (which == "%") return {rest};
  if (quotient == 0) return {std::copysign(0.0, a / b)};
  const double floored = std::floor(quotient);
  return {quotient - floored > 0.5 ? floored + 1 : floored};
}

Value joined(const Site& site, const Sequence& a, const Sequence& b) {
  auto items = a.items;
  items.insert(items.end(), b.items.begin(), b.items.end());
  return site.list(std::move(items), a.shape);
}

Value repeated_items(const Site& site, const Sequence& list, Int times) {
  std::vector<Value> items;
  if (times > 0 && !list.items.empty()) {
    if (static_cast<std::size_t>(times) > kStepsMax / list.items.size())
      site.refuse("a list grows too long");
    for (Int i = 0; i < times; ++i) items.insert(items.end(), list.items.begin(), list.items.end());
  }
  return site.list(std::move(items), list.shape);
}

// A string or list times a number, or nothing for any other pair.
std::optional<Value> repeated_value(const Site& site, const Value& a, const Value& b) {
  Int store = 0;
  const auto* times = integer(b, store);
  if (times == nullptr) return std::nullopt;
  if (const auto* s = a.text()) return site.text(repeated(site, *s, *times));
  if (const auto* l = a.as<SharedList>();
      l != nullptr && ((*l)->shape == Shape::List || (*l)->shape == Shape::Tuple))
    return repeated_items(site, **l, *times);
  return std::nullopt;
}

}  // namespace

bool equal(const Site& site, const Value& a, const Value& b) {
  site.step();
  if (is_number(a) && is_number(b)) return order_of(site, a, b) == 0;
  if (a.is.index() != b.is.index()) return false;
  if (const auto* s = a.text()) {
    const auto& other = *b.text();
    if (s->size() == other.size()) site.bytes(s->size());
    return *s == other;
  }
  if (const auto* l = a.as<SharedList>()) return equal_items(site, **l, **b.as<SharedList>());
  if (const auto* d = a.as<SharedDict>()) return equal_mappings(site, **d, **b.as<SharedDict>());
  return a.as<Undefined>() || a.as<None>() ||
         (a.as<SharedStream>() && *a.as<SharedStream>() == *b.as<SharedStream>()) ||
         (a.as<Namespace*>() && *a.as<Namespace*>() == *b.as<Namespace*>()) ||
         (a.as<Function>() && *a.as<Function>() == *b.as<Function>()) ||
         (a.as<const Statement*>() && *a.as<const Statement*>() == *b.as<const Statement*>());
}

bool ordered(const Site& site, std::string_view which, const Value& a, const Value& b) {
  int order = 0;
  if (a.text() != nullptr && b.text() != nullptr) {
    site.bytes(std::min(a.text()->size(), b.text()->size()));
    order = a.text()->compare(*b.text());  // by bytes is by code points in UTF-8
  } else if (is_number(a) && is_number(b)) {
    order = order_of(site, a, b);
  } else {
    site.refuse(fmt::format("{} {} {} is no question", type_of(a), which, type_of(b)));
  }
  if (which == "<") return order < 0;
  if (which == "<=") return order <= 0;
  if (which == ">") return order > 0;
  return order >= 0;
}

bool contains(const Site& site, const Value& where, const Value& what) {
  if (where.as<Undefined>()) return false;
  const auto* list = where.as<SharedList>();
  const bool hashed = where.as<SharedDict>() ||
                      (list && ((*list)->shape == Shape::Keys || (*list)->shape == Shape::Items));
  if (hashed && (what.as<SharedList>() || what.as<SharedDict>()))
    site.refuse(fmt::format("{} in {} is no question", type_of(what), type_of(where)));
  if (list != nullptr)
    return std::ranges::any_of((*list)->items,
                               [&](const Value& item) { return equal(site, item, what); });
  if (const auto* dict = where.as<SharedDict>())
    return what.text() != nullptr && (*dict)->find(*what.text()) != nullptr;
  if (where.as<SharedStream>()) {
    const auto items = walk(site, where);
    return std::ranges::any_of(items, [&](const Value& item) { return equal(site, item, what); });
  }
  const auto* text = where.text();
  const auto* wanted = what.text();
  if (text == nullptr || wanted == nullptr)
    site.refuse(fmt::format("{} in {} is no question", type_of(what), type_of(where)));
  site.bytes(text->size() + wanted->size());
  return Finder(*wanted).next(*text, 0) != std::string::npos;
}

bool compared(const Site& site, std::string_view which, const Value& a, const Value& b) {
  if (which == "==") return equal(site, a, b);
  if (which == "!=") return !equal(site, a, b);
  if (which == "in") return contains(site, b, a);
  if (which == "not in") return !contains(site, b, a);
  return ordered(site, which, a, b);
}

Value computed(const Site& site, std::string_view which, const Value& a, const Value& b) {
  Int x = 0;
  Int y = 0;
  const auto* left = integer(a, x);
  const auto* right = integer(b, y);
  if (left != nullptr && right != nullptr) return computed_whole(site, which, *left, *right);
  if (is_number(a) && is_number(b)) return computed_real(site, which, real(site, a), real(site, b));
  if (which == "+") {
    if (a.text() != nullptr && b.text() != nullptr) return site.text(*a.text() + *b.text());
    const auto* p = a.as<SharedList>();
    const auto* q = b.as<SharedList>();
    if (p != nullptr && q != nullptr && (*p)->shape == (*q)->shape &&
        ((*p)->shape == Shape::List || (*p)->shape == Shape::Tuple))
      return joined(site, **p, **q);
  }
  if (which == "*") {
    if (const auto made = repeated_value(site, a, b)) return *made;
    if (const auto made = repeated_value(site, b, a)) return *made;
  }
  refuse_operands(site, which, a, b);
}

Value negated(const Site& site, const Value& value) {
  if (const auto* f = value.as<double>()) return {-*f};
  return computed_whole(site, "-", 0, whole(site, value));
}

Value unchanged_number(const Site& site, const Value& value) {
  if (value.as<double>()) return value;
  return {whole(site, value)};
}

}  // namespace hone::rl::chat
