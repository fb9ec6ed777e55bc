// SHA-256, as lowercase hex: the name of an artifact and the fingerprint of a body.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace hone::storage {

/// Hashes bytes as they come. One thread.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::string_view bytes);
  std::string hex();                       ///< ends the hash; once
  std::array<unsigned char, 32> digest();  ///< the same as raw bytes

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view bytes);
/// Throws NotFound when the file cannot be opened.
std::string sha256_file_hex(const std::filesystem::path& path);

}  // namespace hone::storage
