#include "storage/postgres/exec.h"

#include <fmt/format.h>

#include <pqxx/pqxx>
#include <utility>

#include "feedback/base/error.h"
#include "storage/postgres/errors.h"
#include "storage/repo/leases.h"

namespace hone::storage {
namespace {

/// The first line of the server's message without its "ERROR:  ": our own functions write it for
/// the caller.
std::string primary_message(const std::string& what) {
  auto line = what.substr(0, what.find('\n'));
  const auto colon = line.find(':');
  if (line.starts_with("ERROR") && colon != std::string::npos)
    line = line.substr(line.find_first_not_of(' ', colon + 1));
  return line;
}

}  // namespace

void rethrow_translated() {
  try {
    throw;
  } catch (const pqxx::in_doubt_error&) {
    throw Error(Code::Busy,
                "the database went away while this was being saved; send the same request again");
  } catch (const pqxx::broken_connection&) {
    throw Error(Code::Busy, "the database is away; try again in a moment");
  } catch (const pqxx::serialization_failure&) {
    throw;  // not a sql_error in libpqxx 6, one in 7: named before
  } catch (const pqxx::deadlock_detected&) {
    throw;
  } catch (const pqxx::sql_error& e) {
    const std::string state = e.sqlstate();
    if (state == "HN001") throw StaleLease();
    if (state == "HN404") throw Error(Code::NotFound, primary_message(e.what()));
    if (state == "HN409") throw Error(Code::Conflict, primary_message(e.what()));
    if (state == "23505") throw Error(Code::Conflict, "this exists already");
    if (state == "23503") throw Error(Code::NotFound, "what this refers to does not exist");
    if (state == "23514" || state == "23502" || state.starts_with("22"))
      throw Error(Code::Invalid, "a value is outside what can be stored");
    // Time-outs, a full or stopping or read-only server, no disk: nothing the caller did.
    if (state == "57014" || state == "55P03" || state == "25006" || state.starts_with("53") ||
        state.starts_with("57P") || state.starts_with("08"))
      throw Error(Code::Busy, "the database cannot do this now; try again in a moment");
    throw;
  }
}

bool is_retryable() {
  try {
    throw;
  } catch (const pqxx::serialization_failure&) {
    return true;
  } catch (const pqxx::deadlock_detected&) {
    return true;
  } catch (...) {
    return false;
  }
}

Param to_param(double value) { return fmt::format("{}", value); }

Param to_param(const std::vector<std::string>& values) {
  std::string text = "{";
  for (const auto& value : values) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

Rows exec_params(Tx& tx, const char* sql, const std::vector<Param>& params) {
  for (const auto& param : params)
    if (param && param->find('\0') != std::string::npos)
      throw Error(Code::Invalid, "text must not contain the character U+0000");
  try {
#if PQXX_VERSION_MAJOR > 7 || (PQXX_VERSION_MAJOR == 7 && PQXX_VERSION_MINOR >= 10)
    pqxx::params values;
    for (const auto& param : params) values.append(param);
    return tx.work().exec(sql, values);
#else
    std::vector<const char*> values;
    values.reserve(params.size());
    for (const auto& param : params) values.push_back(param ? param->c_str() : nullptr);
    return tx.work().exec_params(sql, pqxx::prepare::make_dynamic_params(values));
#endif
  } catch (...) {
    rethrow_translated();
  }
}

void Tx::set_team(const TeamId& team) {
  exec(*this, "SELECT set_config('app.team', $1, true)", team.value);
  team_ = team;
}

void Tx::allow_long_statements() {
  if (std::exchange(long_statements_, true)) return;
  exec(*this, "SELECT set_config('statement_timeout', '120s', true)");
}

std::string text(const pqxx::row& row, const char* column) {
  const auto field = row[column];
  return field.is_null() ? std::string() : std::string(field.c_str());
}
std::int64_t int64(const pqxx::row& row, const char* column) {
  const auto field = row[column];
  return field.is_null() ? 0 : field.as<std::int64_t>();
}
bool boolean(const pqxx::row& row, const char* column) {
  const auto field = row[column];
  return !field.is_null() && field.as<bool>();
}
std::optional<std::string> maybe_text(const pqxx::row& row, const char* column) {
  const auto field = row[column];
  if (field.is_null()) return std::nullopt;
  return std::string(field.c_str());
}
std::optional<std::int64_t> maybe_int64(const pqxx::row& row, const char* column) {
  const auto field = row[column];
  if (field.is_null()) return std::nullopt;
  return field.as<std::int64_t>();
}
std::optional<double> maybe_double(const pqxx::row& row, const char* column) {
  const auto field = row[column];
  if (field.is_null()) return std::nullopt;
  return field.as<double>();
}

}  // namespace hone::storage
