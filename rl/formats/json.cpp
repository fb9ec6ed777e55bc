#include "rl/formats/json.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl {
namespace {

using nlohmann::json;

// Builds the value while the limits are counted, so that a hostile file stops early: the library's
// own parser knows none and keeps the last of two equal keys.
class Builder : public nlohmann::json_sax<json> {
 public:
  Builder(const std::string& label, const JsonLimits& limits) : label_(label), limits_(limits) {}

  json take() { return std::move(root_); }

  bool null() override { return add(json(nullptr)) != nullptr; }
  bool boolean(bool value) override { return add(json(value)) != nullptr; }
  bool number_integer(number_integer_t value) override { return add(json(value)) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return add(json(value)) != nullptr; }
  bool number_float(number_float_t value, const string_t&) override {
    return add(json(value)) != nullptr;
  }
  bool string(string_t& value) override { return add(json(std::move(value))) != nullptr; }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    count();
    auto& object = stack_.back()->get_ref<json::object_t&>();
    const auto [entry, fresh] = object.emplace(name, nullptr);
    if (!fresh) refuse(label_, name, "the key occurs twice");
    slot_ = &entry->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // The library's text carries its own prefix: "[json.exception.parse_error.101] parse error at
    // ...: why".
    std::string why = error.what();
    if (const auto at = why.find("] "); at != std::string::npos) why.erase(0, at + 2);
    throw Error(Code::Invalid, fmt::format("{}: no valid JSON at byte {}: {}", label_, position,
                                           lossy_utf8(why)));  // it quotes the file, up to any byte
  }

 private:
  void count() {
    if (++nodes_ > limits_.nodes)
      throw Error(Code::Invalid,
                  fmt::format("{}: more than {} JSON values", label_, limits_.nodes));
  }

  json* add(json&& value) {
    count();
    if (stack_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (stack_.back()->is_array()) {
      auto& array = stack_.back()->get_ref<json::array_t&>();
      array.push_back(std::move(value));
      return &array.back();
    }
    *slot_ = std::move(value);
    return slot_;
  }

  bool open(json&& value) {
    if (stack_.size() >= limits_.depth)
      throw Error(Code::Invalid,
                  fmt::format("{}: JSON nested deeper than {}", label_, limits_.depth));
    // Pointers stay good: a container's siblings are only added after it is closed.
    stack_.push_back(add(std::move(value)));
    return true;
  }

  bool close() {
    stack_.pop_back();
    return true;
  }

  const std::string& label_;
  JsonLimits limits_;
  json root_;
  std::vector<json*> stack_;
  json* slot_ = nullptr;
  std::size_t nodes_ = 0;
};

constexpr double kExact =
    9007199254740992.0;  // 2^53: above it a double no longer tells integers apart

std::optional<std::int64_t> as_integer(const json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<std::int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) {  // some writers put 1e4 or 8192.0 where an integer is meant
    const auto number = value.get<double>();
    if (number == std::floor(number) && std::abs(number) <= kExact)
      return static_cast<std::int64_t>(number);
  }
  return std::nullopt;
}

}  // namespace

json parse_json(std::string_view text, const std::string& label, const JsonLimits& limits) {
  Builder builder(label, limits);
  json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

void refuse(const std::string& label, const std::string& field, const std::string& what) {
  throw Error(Code::Invalid,
              field.empty() ? fmt::format("{}: {}", label, what)
                            : fmt::format("{}: {}: {}", label, field, what),
              field);
}

JsonObject::JsonObject(const json& value, std::string label, std::string field)
    : value_(&value), label_(std::move(label)), field_(std::move(field)) {
  if (!value.is_object())
    rl::refuse(label_, field_, fmt::format("a JSON object is wanted, not {}", value.type_name()));
}

std::string JsonObject::path(const std::string& key) const {
  return field_.empty() ? key : field_ + "." + key;
}

void JsonObject::refuse(const std::string& key, const std::string& what) const {
  rl::refuse(label_, path(key), what);
}

const json* JsonObject::find(const std::string& key) const {
  const auto found = value_->find(key);
  return found == value_->end() || found->is_null() ? nullptr : &*found;
}

bool JsonObject::has(const std::string& key) const { return find(key) != nullptr; }

const json& JsonObject::at(const std::string& key) const {
  const auto* value = find(key);
  if (value == nullptr) refuse(key, "is missing");
  return *value;
}

JsonObject JsonObject::object(const std::string& key) const { return {at(key), label_, path(key)}; }

std::optional<JsonObject> JsonObject::find_object(const std::string& key) const {
  if (!has(key)) return std::nullopt;
  return object(key);
}

std::int64_t JsonObject::integer(const std::string& key) const {
  const auto number = as_integer(at(key));
  if (!number) refuse(key, "an integer is wanted");
  return *number;
}

std::optional<std::int64_t> JsonObject::find_integer(const std::string& key) const {
  if (!has(key)) return std::nullopt;
  return integer(key);
}

std::optional<double> JsonObject::find_number(const std::string& key) const {
  if (!has(key)) return std::nullopt;
  const auto& value = at(key);
  if (!value.is_number() || !std::isfinite(value.get<double>()))
    refuse(key, "a finite number is wanted");
  return value.get<double>();
}

std::string JsonObject::text(const std::string& key) const {
  const auto& value = at(key);
  if (!value.is_string()) refuse(key, "a string is wanted");
  return value.get<std::string>();
}

std::optional<std::string> JsonObject::find_text(const std::string& key) const {
  if (!has(key)) return std::nullopt;
  return text(key);
}

bool JsonObject::flag(const std::string& key, bool absent) const {
  if (!has(key)) return absent;
  const auto& value = at(key);
  if (!value.is_boolean()) refuse(key, "true or false is wanted");
  return value.get<bool>();
}

std::vector<std::int64_t> JsonObject::integers(const std::string& key) const {
  if (!has(key)) return {};
  const auto& value = at(key);
  if (!value.is_array()) return {integer(key)};
  std::vector<std::int64_t> numbers;
  for (const auto& item : value) {
    const auto number = as_integer(item);
    if (!number) refuse(key, "an integer or a list of integers is wanted");
    numbers.push_back(*number);
  }
  return numbers;
}

void JsonObject::only(std::initializer_list<std::string_view> known) const {
  for (const auto& [key, value] : value_->items()) {
    bool found = false;
    for (const auto name : known) found = found || name == key;
    if (!found) refuse(key, "is not supported");
  }
}

}  // namespace hone::rl
