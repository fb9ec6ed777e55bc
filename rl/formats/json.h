// JSON of model files: parsed under limits, read field by field with errors that name file and
// field.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::rl {

struct JsonLimits {
  std::size_t depth = 32;
  std::size_t nodes =
      10'000'000;  ///< values and keys: a vocabulary of 256,000 with its merges has 1.5 M
};

/// Parses `text` of the file `label`. Invalid for anything that is not one JSON value in UTF-8, for
/// a key that occurs twice in one object, and past the limits.
nlohmann::json parse_json(std::string_view text, const std::string& label,
                          const JsonLimits& limits = {});

/// Throws Invalid: "<label>: <field>: <what>", with the field as the error's pointer.
[[noreturn]] void refuse(const std::string& label, const std::string& field,
                         const std::string& what);

/// One JSON object of a file, read by key; the parsed value must outlive it.
class JsonObject {
 public:
  /// `field` is the path to the object, empty for the file's own. Invalid when the value is no
  /// object.
  JsonObject(const nlohmann::json& value, std::string label, std::string field = "");
  JsonObject(nlohmann::json&&, std::string, std::string = "") = delete;

  bool has(const std::string& key) const;                  ///< present and not null
  const nlohmann::json& at(const std::string& key) const;  ///< Invalid when missing
  JsonObject object(const std::string& key) const;
  std::optional<JsonObject> find_object(const std::string& key) const;

  std::int64_t integer(const std::string& key) const;
  std::optional<std::int64_t> find_integer(const std::string& key) const;
  std::optional<double> find_number(const std::string& key) const;  ///< integers too; finite
  std::string text(const std::string& key) const;
  std::optional<std::string> find_text(const std::string& key) const;
  bool flag(const std::string& key, bool absent) const;
  /// An integer or a list of integers; empty when absent.
  std::vector<std::int64_t> integers(const std::string& key) const;

  [[noreturn]] void refuse(const std::string& key, const std::string& what) const;
  /// Invalid naming the first key that is not in `known`.
  void only(std::initializer_list<std::string_view> known) const;

  const nlohmann::json& value() const { return *value_; }
  const std::string& label() const { return label_; }
  std::string path(const std::string& key) const;

 private:
  const nlohmann::json* find(const std::string& key) const;
  const nlohmann::json* value_;
  std::string label_;
  std::string field_;
};

}  // namespace hone::rl
