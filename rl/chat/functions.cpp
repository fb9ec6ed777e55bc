#include "rl/chat/functions.h"

#include <fmt/format.h>

#include <array>

#include "feedback/base/error.h"
#include "rl/chat/print.h"

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

std::string formatted(const Site& site, const std::string& format, const RenderTime& time) {
  const auto day = kDays[static_cast<std::size_t>(day_of_week(time))];
  const auto month = kMonths[static_cast<std::size_t>(time.month - 1)];
  std::string made;
  for (std::size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%') {
      made += format[at];
      continue;
    }
    auto next = at + 1;
    char flag = 0;
    if (next < format.size() && format[next] == '-') flag = format[next++];
    const char code = next < format.size() ? format[next] : 0;
    const bool is_word = std::string_view("aAbBp%YFTD").find(code) != std::string_view::npos;
    if (flag != 0 && is_word) site.refuse(fmt::format("%-{} in a date is not supported", code));
    switch (code) {
      case 'a': made += day.substr(0, 3); break;
      case 'A': made += day; break;
      case 'b': made += month.substr(0, 3); break;
      case 'B': made += month; break;
      case 'd': made += number(time.day, flag); break;
      case 'e': made += number(time.day, flag != 0 ? flag : '_'); break;
      case 'm': made += number(time.month, flag); break;
      case 'y': made += number(time.year % 100, flag); break;
      case 'Y': made += std::to_string(time.year); break;
      case 'H': made += number(time.hour, flag); break;
      case 'I': made += number((time.hour + 11) % 12 + 1, flag); break;
      case 'M': made += number(time.minute, flag); break;
      case 'S': made += number(time.second, flag); break;
      case 'p': made += time.hour < 12 ? "AM" : "PM"; break;
      case 'j': made += number(day_of_year(time), flag, 3); break;
      case 'F': made += fmt::format("{}-{:02}-{:02}", time.year, time.month, time.day); break;
      case 'T': made += fmt::format("{:02}:{:02}:{:02}", time.hour, time.minute, time.second); break;
      case '%': made += '%'; break;
      default:
        site.refuse(fmt::format("\"{}\" in a date is not supported",
                                format.substr(at, std::min(next + 1, format.size()) - at)));
    }
    at = next;
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

bool is_global(std::string_view name) {
  return function_named(name) || name == "lipsum" || name == "cycler" || name == "joiner";
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
