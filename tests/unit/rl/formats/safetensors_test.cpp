#include <cstdint>
#include <cstring>

#include "rl/formats/safetensors.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>

#include "rl/formats/files.h"
#include "tests/unit/rl/formats/support.h"

namespace hone::rl {
namespace {

TEST(Safetensors, ReadsBackWhatItWroteInEveryType) {
  const Folder folder;
  NamedTensors written;
  for (const auto type : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt,
                          at::kShort, at::kChar, at::kByte, at::kBool})
    written.emplace_back(std::string("t.") + c10::toString(type),
                         at::arange(6).to(type).view({2, 3}));
  written.emplace_back("scalar", at::arange(1).to(at::kFloat).view(c10::IntArrayRef{}));
  written.emplace_back("empty", at::empty({0, 4}, at::kFloat));
  written.emplace_back("turned",
                       at::arange(6).to(at::kFloat).view({2, 3}).t());  // not contiguous in memory
  write_safetensors(folder.path / "f", written, {{"format", "pt"}, {"made", "by a test"}});

  const SafetensorsFile file(folder.path / "f");
  EXPECT_EQ(file.tensors().size(), written.size());
  EXPECT_EQ(file.metadata().at("made"), "by a test");
  for (const auto& [name, tensor] : written) {
    const auto read = file.read(name);
    EXPECT_EQ(read.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(read, tensor)) << name;
  }
  EXPECT_EQ(file.read_f32("t.BFloat16").scalar_type(), at::kFloat);
  EXPECT_THROW(file.read_f32("t.Long"), Error);
  EXPECT_THROW(file.read("none"), Error);
}

TEST(Safetensors, PadsItsHeaderToEightAndSaysItsFormat) {
  const Folder folder;
  write_safetensors(folder.path / "f", {{"w", at::arange(3).to(at::kByte)}});
  const auto bytes = read_file(folder.path / "f", 1000);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  EXPECT_EQ(bytes.size(), 8 + length + 3);
  EXPECT_THAT(bytes, testing::HasSubstr(R"("__metadata__":{"format":"pt"})"));
}

TEST(Safetensors, ReadsDataThatLiesOffItsAlignment) {
  const Folder folder;
  const SafetensorsFile file(folder.put(
      "f",
      safetensors(
          R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})",
          0) +
          "\7" + floats({1.5F, -2.0F})));
  EXPECT_EQ(file.read_f32("w").const_data_ptr<float>()[1], -2.0F);
}

TEST(Safetensors, WritesNoNameTwiceAndNothingItCannotHold) {
  const Folder folder;
  const auto one = at::arange(1).to(at::kFloat);
  EXPECT_THROW(write_safetensors(folder.path / "f", {{"w", one}, {"w", one}}), Error);
  EXPECT_THROW(write_safetensors(folder.path / "f", {{"w", one.to(at::kComplexFloat)}}), Error);
  EXPECT_FALSE(std::filesystem::exists(folder.path / "f"));
}

}  // namespace
}  // namespace hone::rl
