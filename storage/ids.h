// Where ids come from: UUIDv7, so that rows made one after another lie beside each other.
#pragma once

#include <string>

namespace hone::storage {

/// A fresh UUIDv7 as lowercase text: 48 bits of the wall clock's milliseconds, 74 random bits from
/// the kernel. Any thread.
std::string new_uuid();

/// True for the text form of a UUID (36 characters, hex and dashes). Ids that come from a caller
/// are checked with it before they reach a query, or PostgreSQL's complaint becomes a 500.
bool is_uuid(const std::string& text);

}  // namespace hone::storage
