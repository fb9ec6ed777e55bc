#include "storage/postgres/conninfo.h"

#include <libpq-fe.h>

#include <algorithm>
#include <map>
#include <memory>

#include "feedback/base/error.h"

namespace hone::storage {
namespace {

std::string quoted(const std::string& value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "'";
}

}  // namespace

std::string bounded_conninfo(const std::string& given, std::chrono::milliseconds connect_timeout,
                             std::chrono::milliseconds statement_timeout) {
  char* complaint = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(given.c_str(), &complaint), &PQconninfoFree);
  if (complaint != nullptr) PQfreemem(complaint);  // may quote the password: not passed on
  if (!options) throw Error(Code::Invalid, "the database URL cannot be read");

  std::map<std::string, std::string> values;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option)
    if (option->val != nullptr) values[option->keyword] = option->val;
  // libpq counts whole seconds and takes 1 for 2.
  const auto seconds = std::max<long long>(2, (connect_timeout.count() + 999) / 1000);
  values.emplace("connect_timeout", std::to_string(seconds));
  values.emplace("keepalives_idle", "30");
  values.emplace("keepalives_interval", "5");
  values.emplace("keepalives_count", "3");
  values.emplace("tcp_user_timeout", "20000");
  values.emplace("application_name", "hone");
  auto& settings = values["options"];
  settings += " -c TimeZone=UTC -c client_min_messages=warning";
  if (statement_timeout.count() > 0) {
    const auto ms = std::to_string(statement_timeout.count());
    settings += " -c statement_timeout=" + ms + " -c lock_timeout=" + ms +
                " -c idle_in_transaction_session_timeout=60000";
  }

  std::string text;
  for (const auto& [key, value] : values) text += key + "=" + quoted(value) + " ";
  return text;
}

}  // namespace hone::storage
