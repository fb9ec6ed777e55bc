// A GGUF v3 file as keys and tensors, written whole or not at all.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "rl/formats/gguf.h"

namespace hone::rl {

class GgufWriter {
 public:
  using Value =
      std::variant<bool, std::uint32_t, std::uint64_t, float, std::string, std::vector<std::string>,
                   std::vector<std::int32_t>, std::vector<std::uint32_t>, std::vector<float>>;

  /// Keys stand in the order they are set; one set again takes the later value.
  void set(const std::string& key, Value value);

  /// A tensor that `read` gives as f32 when its turn comes, in the row-major `shape`, whose rows
  /// must divide into the type's blocks.
  void add(const std::string& name, std::vector<std::int64_t> shape, GgmlType type,
           std::function<at::Tensor()> read);

  /// Writes beside `path`, flushes and renames; `told` hears the numbers written so far, of all.
  /// One tensor is in memory at a time.
  void write(const std::filesystem::path& path,
             const std::function<void(std::int64_t done, std::int64_t total)>& told = {}) const;

 private:
  struct Entry {
    std::string name;
    std::vector<std::int64_t> shape;
    GgmlType type;
    std::function<at::Tensor()> read;
    std::int64_t numbers() const;
    std::uint64_t bytes() const;
  };
  std::vector<std::pair<std::string, Value>> keys_;
  std::vector<Entry> tensors_;
};

}  // namespace hone::rl
