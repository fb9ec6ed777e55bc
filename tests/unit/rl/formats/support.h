// Files made for the tests of this folder.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "feedback/base/error.h"

namespace hone::rl {

/// A folder of its own for a test, gone afterwards.
class Folder {
 public:
  Folder() {
    static int count = 0;
    // In memory where there is a place for it: thousands of small files would wait for the disk.
    const std::filesystem::path memory = "/dev/shm";
    path = (std::filesystem::is_directory(memory) ? memory
                                                  : std::filesystem::path(testing::TempDir())) /
           ("hone-formats-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path put(const std::string& name, const std::string& bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
    return path / name;
  }
  std::filesystem::path path;
};

/// What an action is refused with; "accepted" when it is not. Anything but hone::Error is a
/// failure.
inline std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::Invalid) << error.detail();
    return error.detail();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "not a hone::Error: " << error.what();
    return error.what();
  }
  return "accepted";
}

template <class T>
std::string little(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline std::string safetensors(const std::string& header, std::size_t data) {
  return little<std::uint64_t>(header.size()) + header + std::string(data, '\1');
}

/// Puts a GGUF file together, lies included.
struct GgufBytes {
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::string keys;
  std::uint64_t key_count = 0;
  std::string tensors;
  std::uint64_t tensor_count = 0;
  std::string data;

  static std::string text(const std::string& value) {
    return little<std::uint64_t>(value.size()) + value;
  }
  GgufBytes& key(const std::string& name, std::uint32_t type, const std::string& value) {
    keys += text(name) + little(type) + value;
    ++key_count;
    return *this;
  }
  GgufBytes& u32(const std::string& name, std::uint32_t value) {
    return key(name, 4, little(value));
  }
  GgufBytes& f32(const std::string& name, float value) { return key(name, 6, little(value)); }
  GgufBytes& string(const std::string& name, const std::string& value) {
    return key(name, 8, text(value));
  }
  GgufBytes& strings(const std::string& name, const std::vector<std::string>& values) {
    std::string all = little<std::uint32_t>(8) + little<std::uint64_t>(values.size());
    for (const auto& value : values) all += text(value);
    return key(name, 9, all);
  }
  GgufBytes& reals(const std::string& name, const std::vector<float>& values) {
    std::string all = little<std::uint32_t>(6) + little<std::uint64_t>(values.size());
    for (const auto value : values) all += little(value);
    return key(name, 9, all);
  }
  /// `sides` innermost first, as the file has them.
  GgufBytes& tensor(const std::string& name, const std::vector<std::uint64_t>& sides,
                    std::uint32_t type, std::uint64_t offset) {
    tensors += text(name) + little(static_cast<std::uint32_t>(sides.size()));
    for (const auto side : sides) tensors += little(side);
    tensors += little(type) + little(offset);
    ++tensor_count;
    return *this;
  }
  /// Appends a tensor and its data, padded to 32.
  GgufBytes& tensor_with_data(const std::string& name, const std::vector<std::uint64_t>& sides,
                              std::uint32_t type, const std::string& bytes) {
    tensor(name, sides, type, data.size());
    data += bytes;
    data.resize((data.size() + 31) / 32 * 32);
    return *this;
  }
  std::string bytes() const {
    auto head = magic + little(version) + little(tensor_count) + little(key_count) + keys + tensors;
    head.resize((head.size() + 31) / 32 * 32);
    return head + data;
  }
};

inline std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * 4};
}

}  // namespace hone::rl
