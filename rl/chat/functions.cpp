#include "rl/chat/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "feedback/base/error.h"
#include "rl/chat/print.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl::chat {
namespace {

constexpr Int kRangeMax = 100'000;  // the sandbox's own

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};

Value range(const Site& site, const Arguments& arguments) {
  const auto bound = bind(site, "range", {"", "", ""}, 1, arguments);
  const Int from = bound[1] != nullptr ? whole(site, *bound[0]) : 0;
  const Int to = whole(site, bound[1] != nullptr ? *bound[1] : *bound[0]);
  const Int by = bound[2] != nullptr ? whole(site, *bound[2]) : 1;
  if (by == 0) site.refuse("a range with a step of zero");
  std::vector<Value> items;
  for (Int at = from; by > 0 ? at < to : at > to;) {
    if (static_cast<Int>(items.size()) == kRangeMax)
      site.refuse(fmt::format("a range of more than {}", kRangeMax));
    items.push_back({at});
    if (__builtin_add_overflow(at, by, &at)) break;
  }
  site.step(items.size());
  return site.list(std::move(items), Sequence::Shape::Range);
}

// dict(other, name=value ...) and namespace of the same.
Mapping mapping(const Site& site, std::string_view name, const Arguments& arguments) {
  Mapping made;
  if (arguments.given.size() > 1)
    site.refuse(fmt::format("{} with {} arguments is not supported", name, arguments.given.size()));
  if (!arguments.given.empty()) {
    const auto* other = arguments.given[0].as<SharedDict>();
    if (other == nullptr)
      site.refuse(fmt::format("{} of {} is not supported", name, type_of(arguments.given[0])));
    made = **other;
  }
  for (const auto& [key, value] : arguments.named) made.set(key, value);
  return made;
}

Value new_namespace(const Site& site, const Arguments& arguments, Surroundings& surroundings) {
  auto attributes = mapping(site, "namespace", arguments);
  for (const auto& [name, value] : attributes.items)
    if (name.starts_with('_'))
      site.refuse(fmt::format("\"{}\" in a namespace is not supported", name));
  site.bytes(sizeof(Namespace));
  site.dict(attributes);  // pays for it
  surroundings.namespaces.push_back({std::move(attributes)});
  return {&surroundings.namespaces.back()};
}

int day_of_week(const RenderTime& time) {  // Sakamoto's rule
  constexpr int kShift[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
  const int year = time.year - (time.month < 3 ? 1 : 0);
  return (year + year / 4 - year / 100 + year / 400 + kShift[time.month - 1] + time.day) % 7;
}

bool is_leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int day_of_year(const RenderTime& time) {
  constexpr int kBefore[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  return kBefore[time.month - 1] + time.day + (time.month > 2 && is_leap(time.year) ? 1 : 0);
}

std::string number(int value, char flag, int width = 2) {
  if (flag == '-') return std::to_string(value);
  return flag == '_' ? fmt::format("{:{}}", value, width) : fmt::format("{:0{}}", value, width);
}

// What a code of strftime stands for; nothing for one that is not supported. The flag '-' takes the
// zeros off a number, and is not for words.
std::optional<std::string> date_part(const RenderTime& time, char code, char flag) {
  const auto day = kDays[static_cast<std::size_t>(day_of_week(time))];
  const auto month = kMonths[static_cast<std::size_t>(time.month - 1)];
  if (code == 'd') return number(time.day, flag);
  if (code == 'e') return number(time.day, flag != 0 ? flag : '_');
  if (code == 'm') return number(time.month, flag);
  if (code == 'y') return number(time.year % 100, flag);
  if (code == 'H') return number(time.hour, flag);
  if (code == 'I') return number((time.hour + 11) % 12 + 1, flag);
  if (code == 'M') return number(time.minute, flag);
  if (code == 'S') return number(time.second, flag);
  if (code == 'j') return number(day_of_year(time), flag, 3);
  if (flag != 0) return std::nullopt;
  if (code == 'a') return std::string(day.substr(0, 3));
  if (code == 'A') return std::string(day);
  if (code == 'b') return std::string(month.substr(0, 3));
  if (code == 'B') return std::string(month);
  if (code == 'Y') return std::to_string(time.year);
  if (code == 'p') return time.hour < 12 ? "AM" : "PM";
  if (code == 'F') return fmt::format("{}-{:02}-{:02}", time.year, time.month, time.day);
  if (code == 'T') return fmt::format("{:02}:{:02}:{:02}", time.hour, time.minute, time.second);
  if (code == '%') return "%";
  return std::nullopt;
}

std::string formatted(const Site& site, const std::string& format, const RenderTime& time) {
  std::string made;
  for (std::size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%') {
      made += format[at];
      continue;
    }
    const auto start = at++;
    char flag = 0;
    if (at < format.size() && format[at] == '-') flag = format[at++];
    const auto part = at < format.size() ? date_part(time, format[at], flag) : std::nullopt;
    if (!part)
      site.refuse(fmt::format("a date with \"{}\" is not supported",
                              lossy_utf8(format.substr(start, at + 1 - start))));
    made += *part;
  }
  return made;
}

Value strftime_now(const Site& site, const Arguments& arguments,
                   const std::optional<RenderTime>& now) {
  const auto& format = *bind(site, "strftime_now", {"format"}, 1, arguments)[0];
  if (!now) site.refuse("strftime_now is called, and no date was given to render with");
  if (format.text() == nullptr) site.refuse("strftime_now wants a string");
  return site.text(formatted(site, *format.text(), *now));
}

}  // namespace

std::optional<Function> function_named(std::string_view name) {
  if (name == "range") return Function::Range;
  if (name == "dict") return Function::Dict;
  if (name == "namespace") return Function::Namespace;
  if (name == "raise_exception") return Function::Raise;
  if (name == "strftime_now") return Function::StrftimeNow;
  return std::nullopt;
}

Value call(const Site& site, Function function, const Arguments& arguments,
           Surroundings& surroundings) {
  site.step();
  switch (function) {
    case Function::Range:
      return range(site, arguments);
    case Function::Dict:
      return site.dict(mapping(site, "dict", arguments));
    case Function::Namespace:
      return new_namespace(site, arguments, surroundings);
    case Function::StrftimeNow:
      return strftime_now(site, arguments, surroundings.now);
    case Function::Raise:
      throw Error(
          Code::Invalid,
          fmt::format("the chat template refuses this conversation: {}",
                      printed(site, *bind(site, "raise_exception", {"message"}, 1, arguments)[0])),
          "messages");
  }
  return {};
}

}  // namespace hone::rl::chat
