// A model in a GGUF file: its shape from the keys, its weights under Hugging Face's names.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "rl/formats/config.h"
#include "rl/formats/gguf.h"
#include "rl/formats/tensor_source.h"

namespace hone::rl {

/// The shape that the keys and tensors tell; Invalid naming the key that is missing or not
/// supported.
ModelConfig read_gguf_config(const GgufFile& file);

/// The weights; `file` is shared with whoever else reads it. Rows of q and k come back in Hugging
/// Face's order, whether the family's files keep them so or not. Invalid when a tensor has no
/// Hugging Face name.
class GgufWeights : public TensorSource {
 public:
  GgufWeights(std::shared_ptr<const GgufFile> file, const ModelConfig& config);
  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  at::Tensor read_f32(const std::string& name) const override;

 private:
  std::shared_ptr<const GgufFile> file_;
  std::int64_t head_dim_;
  bool interleaved_;  // rows of q and k, as llama.cpp keeps some families
  std::vector<TensorInfo> infos_;
  std::vector<const GgufFile::Tensor*> sources_;  // beside infos_
};

/// The number type that most bytes of the file have: "Q4_1".
std::string gguf_main_type(const GgufFile& file);

}  // namespace hone::rl
