#include "rl/formats/gguf_write.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>
#include <type_traits>

#include "feedback/base/error.h"
#include "rl/formats/files.h"
#include "rl/formats/json.h"

namespace hone::rl {
namespace {

constexpr std::uint64_t kAlignment = 32;  // what a reader takes when general.alignment is absent

/// The number of a value's type in the file.
template <class T>
constexpr std::uint32_t kind_of() {
  if constexpr (std::is_same_v<T, std::uint32_t>) return 4;
  if constexpr (std::is_same_v<T, std::int32_t>) return 5;
  if constexpr (std::is_same_v<T, float>) return 6;
  if constexpr (std::is_same_v<T, bool>) return 7;
  if constexpr (std::is_same_v<T, std::string>) return 8;
  if constexpr (std::is_same_v<T, std::uint64_t>) return 10;
}
constexpr std::uint32_t kArray = 9;

/// The head of the file, little-endian like the memory here.
class Bytes {
 public:
  template <class T>
  void number(T value) {
    const auto at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }
  void text(const std::string& text) {
    number<std::uint64_t>(text.size());
    bytes_ += text;
  }
  template <class T>
  void item(const T& value) {
    if constexpr (std::is_same_v<T, std::string>)
      text(value);
    else if constexpr (std::is_same_v<T, bool>)
      number<std::uint8_t>(value ? 1 : 0);
    else
      number(value);
  }
  template <class T>
  void value(const T& value) {
    number(kind_of<T>());
    item(value);
  }
  template <class T>
  void value(const std::vector<T>& list) {
    number(kArray);
    number(kind_of<T>());
    number<std::uint64_t>(list.size());
    for (const auto& one : list) item(one);
  }
  void pad() { bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment, '\0'); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::uint64_t padded(std::uint64_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

/// Blocks are independent: plain threads, as many as torch uses.
std::vector<std::uint8_t> quantised(const at::Tensor& tensor, GgmlType type) {
  const auto* layout = ggml_layout(static_cast<std::uint32_t>(type));
  const auto blocks = tensor.numel() / layout->block_numbers;
  std::vector<std::uint8_t> out(static_cast<std::size_t>(blocks * layout->block_bytes));
  const float* in = tensor.const_data_ptr<float>();
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    quantise(type, in + begin * layout->block_numbers, (end - begin) * layout->block_numbers,
             out.data() + begin * layout->block_bytes);
  };
  const std::int64_t workers = tensor.numel() < (1 << 18) ? 1 : std::max(1, at::get_num_threads());
  std::vector<std::jthread> threads;
  for (std::int64_t i = 1; i < workers; ++i)
    threads.emplace_back(run, blocks * i / workers, blocks * (i + 1) / workers);
  run(0, blocks / workers);
  return out;
}

}  // namespace

std::int64_t GgufWriter::Entry::numbers() const {
  std::int64_t count = 1;
  for (const auto side : shape) count *= side;
  return count;
}

std::uint64_t GgufWriter::Entry::bytes() const {
  const auto* layout = ggml_layout(static_cast<std::uint32_t>(type));
  return static_cast<std::uint64_t>(numbers() / layout->block_numbers * layout->block_bytes);
}

void GgufWriter::set(const std::string& key, Value value) {
  const auto found = std::ranges::find(keys_, key, &std::pair<std::string, Value>::first);
  if (found == keys_.end())
    keys_.emplace_back(key, std::move(value));
  else
    found->second = std::move(value);
}

void GgufWriter::add(const std::string& name, std::vector<std::int64_t> shape, GgmlType type,
                     std::function<at::Tensor()> read) {
  const auto* layout = ggml_layout(static_cast<std::uint32_t>(type));
  if (!can_quantise(type) || shape.empty() || shape.back() % layout->block_numbers != 0)
    refuse("gguf", name, fmt::format("cannot be written as {}", layout->name));
  tensors_.push_back({name, std::move(shape), type, std::move(read)});
}

void GgufWriter::write(const std::filesystem::path& path,
                       const std::function<void(std::int64_t, std::int64_t)>& told) const {
  Bytes head;
  for (const char c : {'G', 'G', 'U', 'F'}) head.number(c);
  head.number<std::uint32_t>(3);
  head.number<std::uint64_t>(tensors_.size());
  head.number<std::uint64_t>(keys_.size());
  for (const auto& [key, value] : keys_) {
    head.text(key);
    std::visit([&](const auto& v) { head.value(v); }, value);
  }
  std::uint64_t offset = 0;
  std::int64_t total = 0;
  for (const auto& tensor : tensors_) {
    head.text(tensor.name);
    head.number(static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto side = tensor.shape.rbegin(); side != tensor.shape.rend(); ++side)
      head.number(static_cast<std::uint64_t>(*side));
    head.number(static_cast<std::uint32_t>(tensor.type));
    head.number(offset);
    offset += padded(tensor.bytes());
    total += tensor.numbers();
  }
  head.pad();

  write_file(path, [&](const Sink& sink) {
    sink(head.bytes().data(), head.bytes().size());
    std::int64_t done = 0;
    constexpr std::array<char, kAlignment> kZeros{};
    for (const auto& tensor : tensors_) {
      const auto numbers = tensor.read().contiguous();
      if (numbers.sizes() != at::IntArrayRef(tensor.shape))
        refuse(path.filename().string(), tensor.name, "has another shape than was announced");
      const float* first = numbers.const_data_ptr<float>();
      // A block's scale is an f16 too.
      const bool half = tensor.type != GgmlType::F32 && tensor.type != GgmlType::BF16;
      const float most = half ? 65504.0F : std::numeric_limits<float>::max();
      if (!std::all_of(first, first + numbers.numel(),
                       [&](float x) { return std::abs(x) <= most; }))
        refuse(path.filename().string(), tensor.name,
               "holds a number that this type does not: take f32 or bf16");
      const auto bytes = quantised(numbers, tensor.type);
      sink(bytes.data(), bytes.size());
      sink(kZeros.data(), padded(bytes.size()) - bytes.size());
      done += tensor.numbers();
      if (told) told(done, total);
    }
  });
}

}  // namespace hone::rl
