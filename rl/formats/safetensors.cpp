#include "rl/formats/safetensors.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <unordered_map>

#include "feedback/base/error.h"
#include "rl/formats/files.h"
#include "rl/formats/json.h"

namespace hone::rl {
namespace {

constexpr std::uint64_t kHeaderMax = 100'000'000;
constexpr std::size_t kDimensionsMax = 8;

struct Type {
  std::string_view name;
  std::uint64_t bytes;
  std::optional<at::ScalarType>
      scalar;  // none: the size is known, so the file can be checked, but not read
};
const std::array kTypes = {
    Type{"F64", 8, at::kDouble},      Type{"F32", 4, at::kFloat},
    Type{"F16", 2, at::kHalf},        Type{"BF16", 2, at::kBFloat16},
    Type{"I64", 8, at::kLong},        Type{"I32", 4, at::kInt},
    Type{"I16", 2, at::kShort},       Type{"I8", 1, at::kChar},
    Type{"U8", 1, at::kByte},         Type{"BOOL", 1, at::kBool},
    Type{"U64", 8, std::nullopt},     Type{"U32", 4, std::nullopt},
    Type{"U16", 2, std::nullopt},     Type{"F8_E4M3", 1, std::nullopt},
    Type{"F8_E5M2", 1, std::nullopt},
};

struct Entry {
  TensorInfo info;
  const Type* type;
  std::uint64_t begin;  // in the data
  std::uint64_t end;
};

std::uint64_t little_endian_64(const std::uint8_t* bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

// Size in bytes in 128 bits: the file chooses the factors. A side of 0 leaves no bytes, and the
// others must still fit: strides are made of them.
std::uint64_t bytes_of(const JsonObject& object, const Type& type,
                       const std::vector<std::int64_t>& shape) {
  unsigned __int128 bytes = type.bytes;
  bool none = false;
  for (const auto side : shape) {
    none = none || side == 0;
    bytes *= static_cast<std::uint64_t>(std::max<std::int64_t>(side, 1));
    if (bytes > static_cast<std::uint64_t>(INT64_MAX))
      object.refuse("shape", "the tensor is too large");
  }
  return none ? 0 : static_cast<std::uint64_t>(bytes);
}

Entry read_entry(const std::string& name, const JsonObject& object, std::uint64_t data_size) {
  object.only({"dtype", "shape", "data_offsets"});
  Entry entry;
  entry.info.name = name;
  entry.info.dtype = object.text("dtype");
  const auto type = std::ranges::find(kTypes, std::string_view(entry.info.dtype), &Type::name);
  if (type == kTypes.end())
    object.refuse("dtype", fmt::format("\"{}\" is no type that is known here", entry.info.dtype));
  entry.type = &*type;

  // Counts must be written as unsigned integers: 2.0 or -1 is a lie or a broken writer.
  const auto numbers = [&](const std::string& key) -> const nlohmann::json& {
    const auto& list = object.at(key);
    if (!list.is_array()) object.refuse(key, "a list is wanted");
    for (const auto& item : list)
      if (!item.is_number_unsigned() ||
          item.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
        object.refuse(key, "counts from 0 up are wanted");
    return list;
  };
  const auto& shape = numbers("shape");
  if (shape.size() > kDimensionsMax)
    object.refuse("shape",
                  fmt::format("{} dimensions, more than {}", shape.size(), kDimensionsMax));
  for (const auto& side : shape) entry.info.shape.push_back(side.get<std::int64_t>());

  const auto& offsets = numbers("data_offsets");
  if (offsets.size() != 2) object.refuse("data_offsets", "two numbers are wanted");
  entry.begin = offsets[0].get<std::uint64_t>();
  entry.end = offsets[1].get<std::uint64_t>();
  if (entry.begin > entry.end) object.refuse("data_offsets", "the end lies before the beginning");
  if (entry.end > data_size)
    object.refuse("data_offsets",
                  fmt::format("ends at byte {} of data that has {}: the file is cut short, or lies",
                              entry.end, data_size));
  const auto bytes = bytes_of(object, *entry.type, entry.info.shape);
  if (bytes != entry.end - entry.begin)
    object.refuse("data_offsets", fmt::format("{} bytes, but dtype and shape make {}",
                                              entry.end - entry.begin, bytes));
  return entry;
}

// Every byte of the data belongs to exactly one tensor: nothing overlaps, nothing hides between.
void check_cover(const std::string& label, const std::vector<Entry>& entries,
                 std::uint64_t data_size) {
  std::uint64_t at = 0;
  for (const auto& entry : entries) {
    if (entry.begin > at)
      refuse(label, entry.info.name,
             fmt::format("a gap of {} bytes lies before it", entry.begin - at));
    if (entry.begin < at) refuse(label, entry.info.name, "overlaps the tensor before it");
    at = entry.end;
  }
  if (at != data_size)
    refuse(label, "data", fmt::format("{} bytes follow the last tensor", data_size - at));
}

}  // namespace

struct SafetensorsFile::Parsed {
  explicit Parsed(const std::filesystem::path& path)
      : label(path.filename().string()), file(path) {}
  std::string label;
  Mapping file;
  std::uint64_t data_start = 0;
  std::vector<TensorInfo> infos;
  std::vector<Entry> entries;
  std::unordered_map<std::string, std::size_t> by_name;
  std::map<std::string, std::string> metadata;
};

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : parsed_(std::make_unique<Parsed>(path)) {
  auto& p = *parsed_;
  if (p.file.size() < 8)
    refuse(p.label, "header", "the file is shorter than the 8 bytes of its header's length");
  const auto length = little_endian_64(p.file.data());
  if (length > kHeaderMax)
    refuse(p.label, "header",
           fmt::format("a length of {} bytes, more than the {} allowed", length, kHeaderMax));
  if (length > p.file.size() - 8)
    refuse(p.label, "header",
           fmt::format(
               "a length of {} bytes in a file of {}: the file is cut short, or no safetensors",
               length, p.file.size()));
  const std::string_view text(reinterpret_cast<const char*>(p.file.data()) + 8, length);
  if (text.empty() || text.front() != '{') refuse(p.label, "header", "does not begin with {");
  p.data_start = 8 + length;
  const auto data_size = p.file.size() - p.data_start;

  const auto json = parse_json(text, p.label);
  const JsonObject header(json, p.label);
  if (const auto metadata = header.find_object("__metadata__"))
    for (const auto& [key, value] : metadata->value().items())
      p.metadata[key] = metadata->text(key);
  for (const auto& [name, value] : json.items())
    if (name != "__metadata__")
      p.entries.push_back(read_entry(name, JsonObject(value, p.label, name), data_size));

  // In the file's order; an empty tensor shares its place with the next one and goes first.
  std::ranges::sort(p.entries, [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.info.name) < std::tie(b.begin, b.end, b.info.name);
  });
  check_cover(p.label, p.entries, data_size);
  for (const auto& entry : p.entries) {
    p.by_name.emplace(entry.info.name, p.infos.size());
    p.infos.push_back(entry.info);
  }
}

SafetensorsFile::~SafetensorsFile() = default;

const std::vector<TensorInfo>& SafetensorsFile::tensors() const { return parsed_->infos; }
const std::map<std::string, std::string>& SafetensorsFile::metadata() const {
  return parsed_->metadata;
}

at::Tensor SafetensorsFile::read(const std::string& name) const {
  const auto& p = *parsed_;
  const auto found = p.by_name.find(name);
  if (found == p.by_name.end())
    throw Error(Code::NotFound, fmt::format("{}: no tensor \"{}\"", p.label, name), name);
  const auto& entry = p.entries[found->second];
  if (!entry.type->scalar)
    refuse(p.label, name, fmt::format("type {} is not read here", entry.info.dtype));
  auto tensor = at::empty(entry.info.shape, at::TensorOptions().dtype(*entry.type->scalar));
  // The data may be misaligned for its type, so it is copied as bytes.
  const auto* bytes = p.file.data() + p.data_start + entry.begin;
  if (entry.end > entry.begin) {
    std::memcpy(tensor.data_ptr(), bytes, entry.end - entry.begin);
    p.file.forget(bytes, entry.end - entry.begin);
  }
  return tensor;
}

at::Tensor SafetensorsFile::read_f32(const std::string& name) const {
  const auto tensor = read(name);
  if (!tensor.is_floating_point())
    refuse(parsed_->label, name, "a weight must have a floating-point type");
  return tensor.to(at::kFloat);
}

struct ShardedSafetensors::Parsed {
  std::vector<std::unique_ptr<SafetensorsFile>> shards;
  std::unordered_map<std::string, const SafetensorsFile*> by_name;
  std::vector<TensorInfo> infos;
};

ShardedSafetensors::ShardedSafetensors(const std::filesystem::path& index)
    : parsed_(std::make_unique<Parsed>()) {
  const auto label = index.filename().string();
  const auto json = parse_json(read_file(index, kHeaderMax), label);
  const JsonObject object(json, label);
  const auto map = object.object("weight_map");

  std::map<std::string, std::vector<std::string>> names_by_shard;
  for (const auto& [name, value] : map.value().items()) {
    const auto shard = map.text(name);
    if (shard.empty() || shard.find('/') != std::string::npos || shard == "." || shard == "..")
      map.refuse(name, fmt::format("\"{}\" is no file name in the same folder", shard));
    names_by_shard[shard].push_back(name);
  }
  if (names_by_shard.empty()) object.refuse("weight_map", "is empty");

  for (const auto& [shard, names] : names_by_shard) {
    const auto path = index.parent_path() / shard;
    std::error_code no_name;  // one too long to be a file's, say
    if (!std::filesystem::exists(std::filesystem::symlink_status(path, no_name)))
      refuse(label, "weight_map", fmt::format("names {}, which is not there", shard));
    auto& file = *parsed_->shards.emplace_back(std::make_unique<SafetensorsFile>(path));
    for (const auto& info : file.tensors()) {
      if (!map.has(info.name) || map.text(info.name) != shard)
        refuse(label, "weight_map",
               fmt::format("{} holds {}, which the index does not place there", shard, info.name));
      parsed_->by_name.emplace(info.name, &file);
      parsed_->infos.push_back(info);
    }
    for (const auto& name : names)
      if (!parsed_->by_name.contains(name))
        refuse(label, "weight_map." + name, fmt::format("is not in {}", shard));
  }
}

ShardedSafetensors::~ShardedSafetensors() = default;

const std::vector<TensorInfo>& ShardedSafetensors::tensors() const { return parsed_->infos; }

at::Tensor ShardedSafetensors::read_f32(const std::string& name) const {
  const auto found = parsed_->by_name.find(name);
  if (found == parsed_->by_name.end())
    throw Error(Code::NotFound, fmt::format("no tensor \"{}\" in the shards", name), name);
  return found->second->read_f32(name);
}

std::unique_ptr<TensorSource> open_safetensors(const std::filesystem::path& dir) {
  const auto present = [&](const char* name) {
    return std::filesystem::exists(std::filesystem::symlink_status(dir / name));
  };
  if (present("model.safetensors"))
    return std::make_unique<SafetensorsFile>(dir / "model.safetensors");
  if (present("model.safetensors.index.json"))
    return std::make_unique<ShardedSafetensors>(dir / "model.safetensors.index.json");
  refuse(dir.string(), "model.safetensors",
         "is not there, nor model.safetensors.index.json; other weight formats are not read, since "
         "they can run code");
}

namespace {

std::uint64_t bytes_of(const TensorPlan& plan) {
  const auto type = std::ranges::find(kTypes, std::optional(plan.type), &Type::scalar);
  if (type == kTypes.end())
    refuse("safetensors", plan.name, "has a type that safetensors cannot hold");
  auto bytes = static_cast<std::uint64_t>(type->bytes);
  for (const auto side : plan.shape) bytes *= static_cast<std::uint64_t>(side);
  return bytes;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<TensorPlan> plans;
  for (const auto& [name, tensor] : tensors) {
    plans.push_back(
        {name, tensor.sizes().vec(), tensor.scalar_type(), [held = tensor] { return held; }});
  }
  write_safetensors(path, plans, metadata);
}

void write_safetensors(const std::filesystem::path& path, std::span<const TensorPlan> plans,
                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t at = 0;
  for (const auto& plan : plans) {
    const auto bytes = bytes_of(plan);
    if (header.contains(plan.name)) refuse(path.filename().string(), plan.name, "occurs twice");
    const auto type = std::ranges::find(kTypes, std::optional(plan.type), &Type::scalar);
    header[plan.name] = {
        {"dtype", type->name}, {"shape", plan.shape}, {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  auto text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data begins on 8 bytes

  write_file(path, [&](const Sink& sink) {
    std::array<std::uint8_t, 8> length{};
    for (int i = 0; i < 8; ++i) length[i] = static_cast<std::uint8_t>(text.size() >> (8 * i));
    sink(length.data(), length.size());
    sink(text.data(), text.size());
    for (const auto& plan : plans) {
      const auto whole = plan.read().to(at::kCPU, plan.type).contiguous();
      if (whole.sizes() != at::IntArrayRef(plan.shape))
        refuse(path.filename().string(), plan.name, "has another shape than was announced");
      if (whole.numel() > 0) sink(whole.data_ptr(), static_cast<std::size_t>(whole.nbytes()));
    }
  });
}

void write_sharded_safetensors(const std::filesystem::path& dir, std::span<const TensorPlan> plans,
                               std::uint64_t shard_bytes) {
  std::vector<std::span<const TensorPlan>> shards;
  std::uint64_t total = 0;
  std::uint64_t size = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const auto bytes = bytes_of(plans[i]);
    if (i > first && size + bytes > shard_bytes) {
      shards.push_back(plans.subspan(first, i - first));
      first = i;
      size = 0;
    }
    size += bytes;
    total += bytes;
  }
  shards.push_back(plans.subspan(first));
  if (shards.size() == 1) {
    write_safetensors(dir / "model.safetensors", plans);
    return;
  }
  nlohmann::ordered_json index = {{"metadata", {{"total_size", total}}},
                                  {"weight_map", nlohmann::ordered_json::object()}};
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const auto name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    write_safetensors(dir / name, shards[i]);
    for (const auto& plan : shards[i]) index["weight_map"][plan.name] = name;
  }
  // The index last: a folder that has it is whole.
  write_file(dir / "model.safetensors.index.json", index.dump(2) + "\n");
}

}  // namespace hone::rl
