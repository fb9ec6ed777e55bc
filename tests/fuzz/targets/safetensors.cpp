// A whole safetensors file: opened, each small tensor read, written and read again.
#include "rl/formats/safetensors.h"

#include <ATen/ops/equal.h>

#include <memory>

#include "tests/fuzz/targets.h"

namespace hone::fuzz {

void safetensors(std::string_view bytes) {
  const auto path = put("model.safetensors", bytes);
  accepts([&] {
    const rl::SafetensorsFile file(path);
    rl::NamedTensors tensors;
    for (const auto& info : file.tensors()) {
      accepts([&] { file.read_f32(info.name); });
      accepts([&] { tensors.emplace_back(info.name, file.read(info.name)); });
    }
    promise(!accepts([&] { file.read("\x01 no such tensor"); }), "an unknown name is refused");
    if (tensors.size() != file.tensors().size()) return;  // a type that is not read

    const auto again = put("again.safetensors", "");
    rl::write_safetensors(again, tensors, file.metadata());
    std::unique_ptr<rl::SafetensorsFile> opened;
    promise(accepts([&] { opened = std::make_unique<rl::SafetensorsFile>(again); }),
            "a file that was written is read");
    const auto& copy = *opened;
    promise(copy.metadata() == file.metadata(), "metadata is written as it was read");
    for (const auto& [name, tensor] : tensors) {
      const auto read = copy.read(name);
      // As bytes: a NaN equals nothing.
      promise(read.sizes() == tensor.sizes() && read.scalar_type() == tensor.scalar_type() &&
                  (read.numel() == 0 || at::equal(read.contiguous().view({-1}).view(at::kByte),
                                                  tensor.contiguous().view({-1}).view(at::kByte))),
              "a tensor is written as it was read");
    }
  });
}

}  // namespace hone::fuzz
