// Secrets kept in files that only their owner may read, and values that are not printed by
// accident.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace hone::shared {

/// A string that no log line or message can take by accident: there is no conversion, no
/// operator<<.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const { return value_; }

 private:
  std::string value_;
};

/// The secret of that name in `folder` (mode 0700, made when absent): `bytes` random bytes, drawn
/// once, in a file of mode 0600. Two programs that start together get the same one.
/// Throws Error{Invalid} when the file can be read by others or has another length.
Secret read_or_make_secret(const std::filesystem::path& folder, const std::string& name,
                           std::size_t bytes = 32);

}  // namespace hone::shared
