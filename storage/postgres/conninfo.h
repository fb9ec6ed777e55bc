// Inside storage/postgres: one bounded way to describe and open a connection.
#pragma once

#include <chrono>
#include <string>

namespace hone::storage {

/// `given` (URL or keyword string) as a keyword string with what bounds a connection: a connect
/// time-out, TCP keepalives, UTC, statement and lock time-outs. Throws Invalid when libpq cannot
/// read it.
std::string bounded_conninfo(const std::string& given, std::chrono::milliseconds connect_timeout,
                             std::chrono::milliseconds statement_timeout);

}  // namespace hone::storage
