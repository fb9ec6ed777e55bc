// exec(tx, sql, args...): the one way a query reaches PostgreSQL, and the one place that knows
// which libpqxx it is. Values go as parameters only, never into the text.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <pqxx/result>
#include <pqxx/row>
#include <string>
#include <string_view>
#include <vector>

#include "storage/postgres/tx.h"

namespace hone::storage {

using Rows = pqxx::result;

/// One parameter in text form; nullopt is NULL.
using Param = std::optional<std::string>;

inline Param to_param(std::string value) { return value; }
inline Param to_param(std::string_view value) { return std::string(value); }
inline Param to_param(const char* value) { return std::string(value); }
inline Param to_param(bool value) { return std::string(value ? "true" : "false"); }
inline Param to_param(std::nullopt_t) { return std::nullopt; }
Param to_param(double value);
/// A PostgreSQL text array; cast it where it is used: `$1::text[]`, `$1::uuid[]`.
Param to_param(const std::vector<std::string>& values);
template <std::integral T>
requires(!std::same_as<T, bool>) Param to_param(T value) { return std::to_string(value); }
/// An empty id is NULL: nothing has it.
template <class Tag>
Param to_param(const Id<Tag>& id) {
  return id.value.empty() ? Param() : Param(id.value);
}
template <class T>
Param to_param(const std::optional<T>& value) {
  return value ? to_param(*value) : Param();
}

/// Runs one statement with text parameters. Throws hone::Error: Conflict for a duplicate, NotFound
/// for a reference to a missing row, Invalid for a value the schema refuses, Busy for a time-out or
/// a lost connection; anything else stays a pqxx exception and is our bug.
Rows exec_params(Tx& tx, const char* sql, const std::vector<Param>& params);

/// As above, typed. `sql` is a literal.
template <class... Args>
Rows exec(Tx& tx, const char* sql, const Args&... args) {
  return exec_params(tx, sql, {to_param(args)...});
}

/// Column readers: the value, or the empty/zero value when it is NULL.
std::string text(const pqxx::row& row, const char* column);
std::int64_t int64(const pqxx::row& row, const char* column);
bool boolean(const pqxx::row& row, const char* column);
/// nullopt when NULL.
std::optional<std::string> maybe_text(const pqxx::row& row, const char* column);
std::optional<std::int64_t> maybe_int64(const pqxx::row& row, const char* column);
std::optional<double> maybe_double(const pqxx::row& row, const char* column);

template <class Tag>
Id<Tag> id(const pqxx::row& row, const char* column) {
  return Id<Tag>{text(row, column)};
}

}  // namespace hone::storage
