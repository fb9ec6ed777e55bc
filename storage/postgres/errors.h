// Inside storage/postgres: PostgreSQL's failures as hone::Error.
#pragma once

namespace hone::storage {

/// Called in a catch block: throws what the failure at hand means to a caller, or rethrows it when
/// it is our bug. Serialization failures and deadlocks pass as they are, transact() retries them.
[[noreturn]] void rethrow_translated();

/// Called in a catch block: true for a failure that a second run may cure.
bool is_retryable();

}  // namespace hone::storage
