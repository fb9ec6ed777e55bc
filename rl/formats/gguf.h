// GGUF v3: keys and tensors of one file, read strictly over mmap, and dequantised.
// Every refusal is Invalid naming the file and the field.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::rl {

/// The number types a tensor may have; the values are the file's own.
enum class GgmlType : std::uint32_t {
  F32 = 0,
  F16 = 1,
  Q4_0 = 2,
  Q4_1 = 3,
  Q5_0 = 6,
  Q5_1 = 7,
  Q8_0 = 8,
  Q4_K = 12,
  Q5_K = 13,
  Q6_K = 14,
  BF16 = 30,
};

/// Name, numbers a block holds, bytes a block takes; null for a type that is not read.
struct GgmlLayout {
  std::string_view name;
  std::int64_t block_numbers;
  std::int64_t block_bytes;
};
const GgmlLayout* ggml_layout(std::uint32_t type);

/// `count` numbers (a multiple of the type's block) from `in` to `out`.
void dequantise(GgmlType type, const std::uint8_t* in, std::int64_t count, float* out);

/// The way back, for the types that are written: F32, F16, BF16, Q8_0, Q5_0, Q4_0 and Q4_K.
/// `out` takes count / block_numbers * block_bytes bytes; numbers must be finite.
void quantise(GgmlType type, const float* in, std::int64_t count, std::uint8_t* out);
bool can_quantise(GgmlType type);

/// One open file. Const calls are safe from several threads; views live as long as the object.
class GgufFile {
 public:
  struct Tensor {
    std::string name;                 ///< the file's own name: blk.0.attn_q.weight
    std::vector<std::int64_t> shape;  ///< row-major: the reverse of the file's order
    GgmlType type;
    std::uint64_t offset;  ///< from the start of the data
    std::uint64_t bytes;
  };

  explicit GgufFile(const std::filesystem::path& path);
  ~GgufFile();

  const std::vector<Tensor>& tensors() const;
  const Tensor* find(std::string_view name) const;  ///< null when there is none
  at::Tensor read_f32(const Tensor& tensor) const;

  bool has(std::string_view key) const;
  /// A key's value; nullopt when the key is absent, Invalid when it has another type. Integers of
  /// any width and sign are read as one.
  std::optional<std::int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string_view> text(std::string_view key) const;
  std::optional<std::vector<std::string_view>> texts(std::string_view key) const;
  std::optional<std::vector<std::int64_t>> integers(std::string_view key) const;
  std::optional<std::vector<double>> numbers(std::string_view key) const;

  const std::string& label() const;  ///< the file's name, for messages

 private:
  struct Parsed;
  std::unique_ptr<Parsed> parsed_;
};

}  // namespace hone::rl
