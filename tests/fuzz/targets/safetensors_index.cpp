// model.safetensors.index.json over two good shards.
#include "rl/formats/safetensors.h"

#include "tests/fuzz/targets.h"

namespace hone::fuzz {
namespace {

// One byte under one name.
std::string shard(const std::string& name) {
  const auto header = "{\"" + name + R"(":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  return std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header + "x";
}

}  // namespace

void safetensors_index(std::string_view bytes) {
  static const auto first = put("1.safetensors", shard("a"));
  static const auto second = put("2.safetensors", shard("b"));
  const auto path = put("model.safetensors.index.json", bytes);
  accepts([&] {
    const rl::ShardedSafetensors files(path);
    promise(!files.tensors().empty(), "an index that is accepted names tensors");
    for (const auto& info : files.tensors())
      promise(!accepts([&] { files.read_f32(info.name); }), "bytes are no weights");
  });
}

}  // namespace hone::fuzz
