#include "rl/data/rows.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/formats/json.h"

namespace hone::rl {
namespace {

using Json = nlohmann::json;

constexpr double kTooLongShare = 0.05;

std::string spelled(double number) {
  std::string text = std::to_string(number);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

void bad_row(std::int64_t line, const std::string& field, const std::string& what) {
  throw Error(Code::Invalid,
              "line " + std::to_string(line) + ": " + (field.empty() ? "" : field + " ") + what,
              field, line);
}

std::int64_t for_each_row(std::string_view text,
                          const std::function<void(const Json&, std::int64_t)>& each) {
  std::int64_t line = 0, rows = 0;
  for (std::size_t from = 0; from < text.size();) {
    auto end = text.find('\n', from);
    if (end == std::string_view::npos) end = text.size();
    const auto row_text = text.substr(from, end - from);
    from = end + 1;
    ++line;
    if (row_text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    Json json;
    try {
      json = parse_json(row_text, "the row");
    } catch (const Error& e) {
      bad_row(line, "", e.detail());
    }
    if (!json.is_object()) bad_row(line, "", "a row must be a JSON object");
    ++rows;
    each(json, line);
  }
  if (rows == 0) throw Error(Code::Invalid, "the data file holds no rows", "data");
  return rows;
}

RowFields::RowFields(const Json& object, std::int64_t line, std::string at)
    : row_(&object), line_(line), at_(std::move(at)) {
  if (!object.is_object())
    bad_row(line_, at_.empty() ? "" : at_.substr(0, at_.size() - 1), "must be an object");
}

bool RowFields::has(const std::string& name) const {
  const auto found = row_->find(name);
  return found != row_->end() && !found->is_null();
}

const Json& RowFields::at(const std::string& name) const {
  if (!has(name)) refuse(name, "is missing");
  return (*row_)[name];
}

std::string RowFields::text(const std::string& name) const {
  const auto& value = at(name);
  if (!value.is_string()) refuse(name, "must be a text");
  return value.get<std::string>();
}

std::optional<std::string> RowFields::find_text(const std::string& name) const {
  if (!has(name)) return std::nullopt;
  return text(name);
}

std::optional<bool> RowFields::find_flag(const std::string& name) const {
  if (!has(name)) return std::nullopt;
  if (!at(name).is_boolean()) refuse(name, "must be true or false");
  return at(name).get<bool>();
}

double RowFields::number(const std::string& name, double low, double high) const {
  const auto& value = at(name);
  if (!value.is_number() || !(value.get<double>() >= low && value.get<double>() <= high))
    refuse(name, "must be a number from " + spelled(low) + " to " + spelled(high));
  return value.get<double>();
}

std::optional<double> RowFields::find_number(const std::string& name, double low,
                                             double high) const {
  if (!has(name)) return std::nullopt;
  return number(name, low, high);
}

void RowFields::refuse(const std::string& name, const std::string& what) const {
  bad_row(line_, path(name), what);
}

std::vector<Message> messages_of(const RowFields& row, const std::string& name) {
  const auto& list = row.at(name);
  if (!list.is_array() || list.empty()) row.refuse(name, "must be a list of messages");
  std::vector<Message> out;
  for (const auto& m : list) {
    if (!m.is_object() || !m.contains("role") || !m.contains("content") || !m["role"].is_string() ||
        !m["content"].is_string())
      row.refuse(name, "must hold messages of the form {\"role\", \"content\"}, both texts");
    out.push_back({m["role"].get<std::string>(), m["content"].get<std::string>()});
  }
  return out;
}

Prompt prompt_of(const RowFields& row, const std::string& name) {
  if (row.at(name).is_string()) return row.text(name);
  return messages_of(row, name);
}

std::string response_of(const RowFields& row, const std::string& name) {
  std::string text;
  if (row.at(name).is_string()) {
    text = row.text(name);
  } else {
    const auto messages = messages_of(row, name);
    if (messages.size() != 1 || messages[0].role != "assistant")
      row.refuse(name, "must be one message of the assistant");
    text = messages[0].content;
  }
  if (text.empty()) row.refuse(name, "is empty: there is nothing to learn from");
  return text;
}

bool has_several_turns(const RowFields& row, const std::string& name) {
  return row.at(name).is_array() && row.at(name).size() > 1;
}

bool is_held_out(const RowFields& row) {
  if (!row.has("split")) return false;
  const auto& split = row.at("split");
  if (split == "train") return false;
  if (split == "held_out") return true;
  row.refuse("split", "must be \"train\" or \"held_out\"");
}

std::string slice_of(const RowFields& row) {
  std::string out = row.find_text("source").value_or("");
  if (!row.has("tags")) return out;
  const auto& tags = row.at("tags");
  if (!tags.is_array()) row.refuse("tags", "must be a list of texts");
  for (const auto& tag : tags) {
    if (!tag.is_string()) row.refuse("tags", "must be a list of texts");
    out += (out.empty() ? "" : ",") + tag.get<std::string>();
  }
  return out;
}

void refuse_many_too_long(std::int64_t too_long, std::int64_t rows, std::int64_t max_tokens) {
  if (static_cast<double>(too_long) <= kTooLongShare * static_cast<double>(rows)) return;
  throw Error(Code::Invalid,
              std::to_string(too_long) + " of " + std::to_string(rows) +
                  " rows are longer than max_tokens = " + std::to_string(max_tokens) +
                  ", more than 5 %: raise max_tokens, or shorten the data",
              "hyperparameters.max_tokens");
}

}  // namespace hone::rl
