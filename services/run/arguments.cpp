#include "services/run/arguments.h"

#include <algorithm>
#include <charconv>

#include "feedback/base/error.h"

namespace hone::run {
namespace {

template <class Number>
std::optional<Number> parsed(const Arguments& arguments, const std::string& flag) {
  const auto found = arguments.flags.find(flag);
  if (found == arguments.flags.end()) return std::nullopt;
  Number value{};
  const auto* end = found->second.data() + found->second.size();
  const auto [stop, error] = std::from_chars(found->second.data(), end, value);
  if (error != std::errc() || stop != end)
    throw Error(Code::Invalid, "--" + flag + " must be a number", flag);
  return value;
}

}  // namespace

std::optional<std::int64_t> Arguments::integer(const std::string& flag) const {
  return parsed<std::int64_t>(*this, flag);
}
std::optional<double> Arguments::number(const std::string& flag) const {
  return parsed<double>(*this, flag);
}

std::optional<std::string> Arguments::text(const std::string& flag) const {
  const auto found = flags.find(flag);
  return found == flags.end() ? std::nullopt : std::optional(found->second);
}

Arguments parse_arguments(int argc, char** argv, int first,
                          const std::vector<std::string>& with_value,
                          const std::vector<std::string>& switches, std::size_t places) {
  const auto contains = [](const std::vector<std::string>& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  Arguments out;
  for (int i = first; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) {
      out.places.push_back(word);
      continue;
    }
    const auto equals = word.find('=');
    const auto name = word.substr(2, equals == std::string::npos ? std::string::npos : equals - 2);
    if (contains(switches, name) && equals == std::string::npos) {
      out.flags[name] = "";
    } else if (contains(with_value, name)) {
      if (equals == std::string::npos && i + 1 == argc)
        throw Error(Code::Invalid, "--" + name + " needs a value", name);
      out.flags[name] = equals == std::string::npos ? argv[++i] : word.substr(equals + 1);
    } else {
      throw Error(Code::Invalid, "there is no flag --" + name + "; see hone-run --help", name);
    }
  }
  if (out.places.size() != places)
    throw Error(Code::Invalid, "expected " + std::to_string(places) + " argument(s), got " +
                                   std::to_string(out.places.size()) + "; see hone-run --help");
  return out;
}

}  // namespace hone::run
