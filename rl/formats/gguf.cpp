#include "rl/formats/gguf.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <thread>
#include <unordered_map>

#include "feedback/base/error.h"
#include "rl/formats/files.h"
#include "rl/formats/json.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as little-endian memory");

enum class Kind : std::uint32_t {
  U8,
  I8,
  U16,
  I16,
  U32,
  I32,
  F32,
  Bool,
  Text,
  Array,
  U64,
  I64,
  F64
};
constexpr std::uint32_t kKinds = 13;

// Smallest size of a value in the file: for texts the 8 bytes of their length.
constexpr std::uint64_t size_of(Kind kind) {
  switch (kind) {
    case Kind::U8:
    case Kind::I8:
    case Kind::Bool:
      return 1;
    case Kind::U16:
    case Kind::I16:
      return 2;
    case Kind::U32:
    case Kind::I32:
    case Kind::F32:
      return 4;
    default:
      return 8;
  }
}

struct Value {
  Kind kind;
  Kind item = Kind::U8;     // of an array
  std::uint64_t count = 1;  // of an array
  const std::uint8_t* at;   // the value, or an array's first item
};

constexpr std::uint64_t kKeysMax = 100'000;
constexpr std::uint64_t kTensorsMax = 1'000'000;
constexpr std::uint64_t kNameMax = 65'535;
constexpr std::uint32_t kDimensionsMax = 4;
constexpr std::int64_t kAlignmentMax = 1 << 20;

template <class T>
T load(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::string_view text_at(const std::uint8_t* at) {
  return {reinterpret_cast<const char*>(at) + 8, load<std::uint64_t>(at)};
}

std::int64_t integer_at(const std::uint8_t* at, Kind kind, const std::string& label,
                        const std::string& key) {
  switch (kind) {
    case Kind::U8:
      return *at;
    case Kind::I8:
      return static_cast<std::int8_t>(*at);
    case Kind::U16:
      return load<std::uint16_t>(at);
    case Kind::I16:
      return load<std::int16_t>(at);
    case Kind::U32:
      return load<std::uint32_t>(at);
    case Kind::I32:
      return load<std::int32_t>(at);
    case Kind::I64:
      return load<std::int64_t>(at);
    case Kind::U64: {
      const auto number = load<std::uint64_t>(at);
      if (number > static_cast<std::uint64_t>(INT64_MAX))
        refuse(label, key, "the number is too large");
      return static_cast<std::int64_t>(number);
    }
    default:
      refuse(label, key, "an integer is wanted");
  }
}

/// Walks the head of the file; every step asks first whether the bytes are there.
class Cursor {
 public:
  Cursor(const Mapping& file, const std::string& label) : file_(file), label_(label) {}

  const std::uint8_t* take(std::uint64_t size, const std::string& what) {
    if (size > file_.size() - at_)
      refuse(label_, what,
             fmt::format("the file ends at byte {}, before the end of it: cut short, or lying",
                         file_.size()));
    const auto* here = file_.data() + at_;
    at_ += size;
    return here;
  }
  template <class T>
  T number(const std::string& what) {
    return load<T>(take(sizeof(T), what));
  }
  std::string_view text(const std::string& what, std::uint64_t limit) {
    const auto length = number<std::uint64_t>(what);
    if (length > limit)
      refuse(label_, what, fmt::format("a length of {} bytes, more than {}", length, limit));
    return {reinterpret_cast<const char*>(take(length, what)), length};
  }
  std::uint64_t at() const { return at_; }
  std::uint64_t left() const { return file_.size() - at_; }

 private:
  const Mapping& file_;
  const std::string& label_;
  std::uint64_t at_ = 0;
};

Kind read_kind(Cursor& cursor, const std::string& label, const std::string& key) {
  const auto kind = cursor.number<std::uint32_t>(key);
  if (kind >= kKinds) refuse(label, key, fmt::format("{} is no value type", kind));
  return static_cast<Kind>(kind);
}

Value read_value(Cursor& cursor, const std::string& label, const std::string& key) {
  Value value{.kind = read_kind(cursor, label, key), .at = nullptr};
  if (value.kind == Kind::Array) {
    value.item = read_kind(cursor, label, key);
    if (value.item == Kind::Array) refuse(label, key, "a list of lists is not supported");
    value.count = cursor.number<std::uint64_t>(key);
    if (value.count > cursor.left() / size_of(value.item))
      refuse(label, key,
             fmt::format("a list of {} items does not fit the file: cut short, or lying",
                         value.count));
  }
  const auto item = value.kind == Kind::Array ? value.item : value.kind;
  if (item == Kind::Text) {
    value.at = cursor.take(0, key);
    for (std::uint64_t i = 0; i < value.count; ++i) cursor.text(key, cursor.left());
  } else {
    value.at = cursor.take(value.count * size_of(item), key);
  }
  if (item == Kind::Bool)
    for (std::uint64_t i = 0; i < value.count; ++i)
      if (value.at[i] > 1) refuse(label, key, "a truth value is neither 0 nor 1");
  return value;
}

std::uint64_t padded(std::uint64_t size, std::uint64_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

}  // namespace

struct GgufFile::Parsed {
  explicit Parsed(const std::filesystem::path& path)
      : label(path.filename().string()), file(path) {}

  const Value* find(std::string_view key) const {
    const auto found = keys.find(std::string(key));
    return found == keys.end() ? nullptr : &found->second;
  }

  std::string label;
  Mapping file;
  std::unordered_map<std::string, Value> keys;
  std::vector<Tensor> tensors;
  std::unordered_map<std::string, std::size_t> by_name;
  std::uint64_t data_start = 0;

  void read_keys(Cursor& cursor, std::uint64_t count);
  void read_tensors(Cursor& cursor, std::uint64_t count);
  Tensor read_tensor(Cursor& cursor);
  void check_data(std::uint64_t head_end);
};

void GgufFile::Parsed::read_keys(Cursor& cursor, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto what = fmt::format("key {} of {}", i + 1, count);
    const std::string key(cursor.text(what, kNameMax));
    if (key.empty() || !valid_utf8(key)) refuse(label, what, "its name is empty or not UTF-8");
    const auto value = read_value(cursor, label, key);
    if (!keys.emplace(key, value).second) refuse(label, key, "the key occurs twice");
  }
}

GgufFile::Tensor GgufFile::Parsed::read_tensor(Cursor& cursor) {
  const auto what = fmt::format("tensor {}", tensors.size() + 1);
  Tensor tensor;
  tensor.name = cursor.text(what, kNameMax);
  if (tensor.name.empty() || !valid_utf8(tensor.name))
    refuse(label, what, "its name is empty or not UTF-8");
  const auto& name = tensor.name;

  const auto dimensions = cursor.number<std::uint32_t>(name);
  if (dimensions < 1 || dimensions > kDimensionsMax)
    refuse(label, name,
           fmt::format("{} dimensions; 1 to {} are possible", dimensions, kDimensionsMax));
  unsigned __int128 numbers = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto side = cursor.number<std::uint64_t>(name);
    if (side == 0) refuse(label, name, "a side of length 0");
    numbers *= side;  // below 2^63 before, so it cannot pass 2^127
    if (side > static_cast<std::uint64_t>(INT64_MAX) ||
        numbers > static_cast<std::uint64_t>(INT64_MAX))
      refuse(label, name, "the tensor is too large");
    tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(side));
  }

  const auto type = cursor.number<std::uint32_t>(name);
  const auto* layout = ggml_layout(type);
  if (layout == nullptr) refuse(label, name, fmt::format("number type {} is not supported", type));
  tensor.type = static_cast<GgmlType>(type);
  if (tensor.shape.back() % layout->block_numbers != 0)
    refuse(label, name,
           fmt::format("rows of {} do not divide into blocks of {} ({})", tensor.shape.back(),
                       layout->block_numbers, layout->name));
  const auto bytes = numbers / layout->block_numbers * layout->block_bytes;
  if (bytes > static_cast<std::uint64_t>(INT64_MAX)) refuse(label, name, "the tensor is too large");
  tensor.bytes = static_cast<std::uint64_t>(bytes);
  tensor.offset = cursor.number<std::uint64_t>(name);
  return tensor;
}

void GgufFile::Parsed::read_tensors(Cursor& cursor, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    auto tensor = read_tensor(cursor);
    if (!by_name.emplace(tensor.name, i).second)
      refuse(label, tensor.name, "the tensor occurs twice");
    tensors.push_back(std::move(tensor));
  }
}

// Tensors follow each other in the order of the table, each padded to the alignment, and the file
// ends with the last one: nothing overlaps and nothing hides between or behind.
void GgufFile::Parsed::check_data(std::uint64_t head_end) {
  std::int64_t alignment = 32;
  if (const auto* value = find("general.alignment")) {
    alignment = integer_at(value->at, value->kind, label, "general.alignment");
    if (alignment < 1 || alignment > kAlignmentMax || (alignment & (alignment - 1)) != 0)
      refuse(label, "general.alignment",
             fmt::format("{} is no power of two up to {}", alignment, kAlignmentMax));
  }
  const auto step = static_cast<std::uint64_t>(alignment);
  data_start = padded(head_end, step);
  if (data_start > file.size()) {
    if (!tensors.empty()) refuse(label, "data", "the file ends before its data begins: cut short");
    data_start = file.size();
  }
  const auto size = file.size() - data_start;
  std::uint64_t at = 0;
  std::uint64_t end = 0;
  for (const auto& tensor : tensors) {
    if (tensor.offset % step != 0)
      refuse(label, tensor.name,
             fmt::format("its offset {} is no multiple of the alignment {}", tensor.offset, step));
    if (tensor.offset > at)
      refuse(label, tensor.name,
             fmt::format("a gap of {} bytes lies before it", tensor.offset - at));
    if (tensor.offset < at) refuse(label, tensor.name, "overlaps the tensor before it");
    if (tensor.bytes > size || tensor.offset > size - tensor.bytes)
      refuse(label, tensor.name,
             fmt::format("ends at byte {} of data that has {}: the file is cut short, or lies",
                         tensor.offset + tensor.bytes, size));
    end = tensor.offset + tensor.bytes;
    at = padded(end, step);
  }
  if (size != end && size != at)
    refuse(label, "data", fmt::format("{} bytes follow the last tensor", size - end));
}

GgufFile::GgufFile(const std::filesystem::path& path) : parsed_(std::make_unique<Parsed>(path)) {
  auto& p = *parsed_;
  Cursor cursor(p.file, p.label);
  if (std::memcmp(cursor.take(4, "magic"), "GGUF", 4) != 0)
    refuse(p.label, "magic", "the file does not begin with GGUF");
  const auto version = cursor.number<std::uint32_t>("version");
  if (version == 0x03000000) refuse(p.label, "version", "a big-endian file is not supported");
  if (version != 3) refuse(p.label, "version", fmt::format("{} is not supported (3 is)", version));
  const auto tensors = cursor.number<std::uint64_t>("tensor count");
  const auto keys = cursor.number<std::uint64_t>("key count");
  if (tensors > kTensorsMax)
    refuse(p.label, "tensor count", fmt::format("{} is more than {}", tensors, kTensorsMax));
  if (keys > kKeysMax)
    refuse(p.label, "key count", fmt::format("{} is more than {}", keys, kKeysMax));
  p.read_keys(cursor, keys);
  p.read_tensors(cursor, tensors);
  p.check_data(cursor.at());
}

GgufFile::~GgufFile() = default;

const std::vector<GgufFile::Tensor>& GgufFile::tensors() const { return parsed_->tensors; }
const std::string& GgufFile::label() const { return parsed_->label; }

const GgufFile::Tensor* GgufFile::find(std::string_view name) const {
  const auto found = parsed_->by_name.find(std::string(name));
  return found == parsed_->by_name.end() ? nullptr : &parsed_->tensors[found->second];
}

// Plain threads, as many as torch uses: blocks are independent, and a tensor is read once, so a
// pool would save nothing.
at::Tensor GgufFile::read_f32(const Tensor& tensor) const {
  auto out = at::empty(tensor.shape, at::TensorOptions().dtype(at::kFloat));
  const auto* layout = ggml_layout(static_cast<std::uint32_t>(tensor.type));
  const auto* in = parsed_->file.data() + parsed_->data_start + tensor.offset;
  auto* const to = out.mutable_data_ptr<float>();
  const auto blocks = out.numel() / layout->block_numbers;
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    dequantise(tensor.type, in + begin * layout->block_bytes, (end - begin) * layout->block_numbers,
               to + begin * layout->block_numbers);
  };
  const std::int64_t workers = out.numel() < (1 << 18) ? 1 : std::max(1, at::get_num_threads());
  std::vector<std::jthread> threads;
  for (std::int64_t i = 1; i < workers; ++i)
    threads.emplace_back(run, blocks * i / workers, blocks * (i + 1) / workers);
  run(0, blocks / workers);
  threads.clear();
  parsed_->file.forget(in, static_cast<std::uint64_t>(blocks * layout->block_bytes));
  return out;
}

bool GgufFile::has(std::string_view key) const { return parsed_->find(key) != nullptr; }

std::optional<std::int64_t> GgufFile::integer(std::string_view key) const {
  const auto* value = parsed_->find(key);
  if (value == nullptr) return std::nullopt;
  return integer_at(value->at, value->kind, parsed_->label, std::string(key));
}

std::optional<double> GgufFile::number(std::string_view key) const {
  const auto* value = parsed_->find(key);
  if (value == nullptr) return std::nullopt;
  double number = 0;
  if (value->kind == Kind::F32) {
    // The shortest decimal that means this f32: 1e-05 stays 1e-05 and does not
    // become 9.99999974e-06.
    number = std::stod(fmt::format("{}", load<float>(value->at)));
  } else if (value->kind == Kind::F64) {
    number = load<double>(value->at);
  } else {
    number = static_cast<double>(*integer(key));
  }
  if (!std::isfinite(number)) refuse(parsed_->label, std::string(key), "a finite number is wanted");
  return number;
}

std::optional<bool> GgufFile::boolean(std::string_view key) const {
  const auto* value = parsed_->find(key);
  if (value == nullptr) return std::nullopt;
  if (value->kind != Kind::Bool)
    refuse(parsed_->label, std::string(key), "true or false is wanted");
  return *value->at != 0;
}

std::optional<std::string_view> GgufFile::text(std::string_view key) const {
  const auto* value = parsed_->find(key);
  if (value == nullptr) return std::nullopt;
  if (value->kind != Kind::Text) refuse(parsed_->label, std::string(key), "a string is wanted");
  const auto text = text_at(value->at);
  if (!valid_utf8(text)) refuse(parsed_->label, std::string(key), "is not UTF-8");
  return text;
}

std::optional<std::vector<std::string_view>> GgufFile::texts(std::string_view key) const {
  const auto* value = parsed_->find(key);
  if (value == nullptr) return std::nullopt;
  if (value->kind != Kind::Array || value->item != Kind::Text)
    refuse(parsed_->label, std::string(key), "a list of strings is wanted");
  std::vector<std::string_view> list;
  list.reserve(value->count);
  const auto* at = value->at;
  for (std::uint64_t i = 0; i < value->count; ++i) {
    list.push_back(text_at(at));
    at += 8 + list.back().size();
    if (!valid_utf8(list.back()))
      refuse(parsed_->label, fmt::format("{}[{}]", key, i), "is not UTF-8");
  }
  return list;
}

std::optional<std::vector<std::int64_t>> GgufFile::integers(std::string_view key) const {
  const auto* value = parsed_->find(key);
  if (value == nullptr) return std::nullopt;
  if (value->kind != Kind::Array || value->item == Kind::Text)
    refuse(parsed_->label, std::string(key), "a list of integers is wanted");
  std::vector<std::int64_t> list;
  list.reserve(value->count);
  for (std::uint64_t i = 0; i < value->count; ++i)
    list.push_back(integer_at(value->at + i * size_of(value->item), value->item, parsed_->label,
                              std::string(key)));
  return list;
}

std::optional<std::vector<double>> GgufFile::numbers(std::string_view key) const {
  const auto* value = parsed_->find(key);
  if (value == nullptr) return std::nullopt;
  if (value->kind != Kind::Array || (value->item != Kind::F32 && value->item != Kind::F64))
    refuse(parsed_->label, std::string(key), "a list of numbers is wanted");
  std::vector<double> list;
  list.reserve(value->count);
  for (std::uint64_t i = 0; i < value->count; ++i) {
    const auto* at = value->at + i * size_of(value->item);
    list.push_back(value->item == Kind::F32 ? static_cast<double>(load<float>(at))
                                            : load<double>(at));
    if (!std::isfinite(list.back()))
      refuse(parsed_->label, fmt::format("{}[{}]", key, i), "a finite number is wanted");
  }
  return list;
}

}  // namespace hone::rl
