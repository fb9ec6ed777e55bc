// The parse under limits: a SAX handler that builds the value and stops at the first excess.
#include "services/shared/json.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/shared/utf8.h"

namespace hone::shared {
namespace {

using nlohmann::json;

class Builder : public nlohmann::json_sax<json> {
 public:
  Builder(const JsonLimits& limits, std::int64_t line) : limits_(limits), line_(line) {}

  json take() { return std::move(root_); }

  bool null() override { return put(json(nullptr)); }
  bool boolean(bool value) override { return put(json(value)); }
  bool number_integer(std::int64_t value) override { return put(json(value)); }
  bool number_unsigned(std::uint64_t value) override {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      stop("the integer does not fit in 64 bits with a sign");
    return put(json(static_cast<std::int64_t>(value)));
  }
  // An integer beyond 64 bits arrives here as a rounded float; its raw text gives it away.
  bool number_float(double value, const std::string& raw) override {
    if (raw.find_first_of(".eE") == std::string::npos)
      stop("the integer does not fit in 64 bits with a sign");
    return put(json(value));
  }
  bool string(std::string& value) override {
    check(value);
    return put(json(std::move(value)));
  }
  bool binary(json::binary_t&) override { stop("binary values are not JSON"); }

  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    check(name);
    auto& object = *open_.back().value;
    if (object.contains(name)) {
      open_.back().key = name;
      stop_at(place(), "the member is given twice");
    }
    open_.back().key = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const json::exception& error) override {
    // The library's text after its own error code says what was expected.
    std::string what = error.what();
    if (const auto colon = what.find("syntax error"); colon != std::string::npos)
      what = what.substr(colon);
    // It quotes the text, up to any byte.
    throw Error(Code::Invalid, fmt::format("not JSON, at byte {}: {}", position, repair_utf8(what)),
                open_.empty() ? "" : place(), line_);
  }

 private:
  struct Open {
    json* value;
    std::string key;
    std::size_t index = 0;
  };

  [[noreturn]] void stop_at(const std::string& where, const std::string& detail) const {
    throw Error(Code::Invalid, detail, where, line_);
  }
  [[noreturn]] void stop(const std::string& detail) const { stop_at(place(), detail); }

  // The pointer of the value that is being read now.
  std::string place() const {
    std::string pointer;
    // Deep garbage gets a short pointer: its first steps say enough.
    for (std::size_t i = 0; i < open_.size() && i < 8; ++i) {
      const auto& step = open_[i];
      if (step.value->is_object() && step.key.empty()) break;  // no member was begun yet
      pointer += '/';
      pointer += step.value->is_object() ? pointer_token(step.key) : std::to_string(step.index);
    }
    if (pointer.size() <= 500) return pointer;
    return repair_utf8(std::string_view(pointer).substr(0, 500));
  }

  void check(const std::string& text) const {
    if (text.size() > limits_.string_bytes)
      stop(fmt::format("the text is longer than {} bytes", limits_.string_bytes));
    // Valid JSON, but no text that PostgreSQL can keep.
    if (text.find('\0') != std::string::npos) stop("the text holds U+0000, which cannot be stored");
  }

  json* put(json value) {
    if (++nodes_ > limits_.nodes) stop(fmt::format("more than {} values", limits_.nodes));
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    auto& parent = open_.back();
    if (parent.value->is_object()) return &((*parent.value)[parent.key] = std::move(value));
    parent.value->push_back(std::move(value));
    ++parent.index;
    return &parent.value->back();
  }

  // A pointer into the parent stays good: only the innermost open value grows.
  bool open(json value) {
    if (open_.size() >= limits_.depth)
      stop(fmt::format("nested deeper than {} levels", limits_.depth));
    json* placed = put(std::move(value));
    open_.push_back({placed, {}, 0});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const JsonLimits& limits_;
  std::int64_t line_;
  json root_;
  std::vector<Open> open_;
  std::size_t nodes_ = 0;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, const JsonLimits& limits, std::int64_t line) {
  Builder builder(limits, line);
  // Strict: nothing may follow. Errors leave by exception, so the result is always true.
  json::sax_parse(text.begin(), text.end(), &builder, json::input_format_t::json, true);
  return builder.take();
}

std::string pointer_token(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return out;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

}  // namespace hone::shared
