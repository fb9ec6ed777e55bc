// safetensors: a strict reader over mmap, for one file and for shards under an index; a writer.
// Every refusal is Invalid naming the file and the field.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rl/formats/tensor_source.h"

namespace hone::rl {

/// One file, checked whole when opened: header size, JSON, names, shapes, and that the tensors
/// cover the data exactly. The file must not change while it is open.
class SafetensorsFile : public TensorSource {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  ~SafetensorsFile() override;

  const std::vector<TensorInfo>& tensors() const override;
  at::Tensor read_f32(const std::string& name) const override;

  /// The tensor in its own type, in fresh memory.
  at::Tensor read(const std::string& name) const;
  /// The file's `__metadata__`; empty when it has none.
  const std::map<std::string, std::string>& metadata() const;

 private:
  struct Parsed;
  std::unique_ptr<Parsed> parsed_;
};

/// Shards under `model.safetensors.index.json`. The index and the shards must name the same
/// tensors.
class ShardedSafetensors : public TensorSource {
 public:
  explicit ShardedSafetensors(const std::filesystem::path& index);
  ~ShardedSafetensors() override;

  const std::vector<TensorInfo>& tensors() const override;
  at::Tensor read_f32(const std::string& name) const override;

 private:
  struct Parsed;
  std::unique_ptr<Parsed> parsed_;
};

/// The weights of a model's folder: model.safetensors, or the shards of its index.
std::unique_ptr<TensorSource> open_safetensors(const std::filesystem::path& dir);

/// A tensor to be written: told first, read when its turn comes.
struct TensorPlan {
  std::string name;
  std::vector<std::int64_t> shape;
  at::ScalarType type;
  std::function<at::Tensor()> read;  ///< CPU; of this shape, cast to `type` if it has another
};

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Writes CPU tensors of any of the types f64 f32 f16 bf16 i64 i32 i16 i8 u8 bool, in the order
/// given, to a temporary file beside `path`, flushes it to the disk and renames it there. The entry
/// in the folder is durable once the caller has flushed the folder (flush_folder). With plans, one
/// tensor is in memory at a time.
void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});
void write_safetensors(const std::filesystem::path& path, std::span<const TensorPlan> plans,
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

/// Into `dir`: model.safetensors, or, above `shard_bytes`, model-0000n-of-0000m.safetensors in the
/// order given under model.safetensors.index.json.
void write_sharded_safetensors(const std::filesystem::path& dir, std::span<const TensorPlan> plans,
                               std::uint64_t shard_bytes = 5'000'000'000);

}  // namespace hone::rl
