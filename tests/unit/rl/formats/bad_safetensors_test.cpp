// Truncated, lying and hostile safetensors files, each with its own refusal.
#include <gmock/gmock.h>

#include <cstdint>
#include <random>

#include "rl/formats/safetensors.h"
#include "tests/unit/rl/formats/support.h"

namespace hone::rl {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Bad {
  const char* name;
  std::string bytes;
  const char* says;
};

void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

class BadSafetensors : public testing::TestWithParam<Bad> {};

TEST_P(BadSafetensors, IsRefusedWithFileAndField) {
  const Folder folder;
  const auto path = folder.put("bad.safetensors", GetParam().bytes);
  EXPECT_THAT(refusal([&] { SafetensorsFile file(path); }),
              AllOf(HasSubstr("bad.safetensors: "), HasSubstr(GetParam().says)));
}

std::string f32(const std::string& fields) { return "{\"w\":{\"dtype\":\"F32\"," + fields + "}}"; }

INSTANTIATE_TEST_SUITE_P(
    Files, BadSafetensors,
    testing::Values(
        Bad{"Empty", "", "header: the file is shorter than the 8 bytes"},
        Bad{"SevenBytes", "\1\0\0\0\0\0\0", "shorter than the 8 bytes"},
        Bad{"HeaderPastTheEnd", little<std::uint64_t>(50) + "{}",
            "a length of 50 bytes in a file of 10"},
        Bad{"HeaderTooLong", little<std::uint64_t>(100'000'001) + "{}",
            "more than the 100000000 allowed"},
        Bad{"HeaderLengthOverflows", little<std::uint64_t>(~0ULL) + "{}",
            "a length of 18446744073709551615"},
        Bad{"NoHeader", safetensors("", 0), "does not begin with {"},
        Bad{"SpaceFirst", safetensors(" {}", 0), "does not begin with {"},
        Bad{"AList", safetensors("[]", 0), "does not begin with {"},
        Bad{"NoJson", safetensors("{nope}", 0), "no valid JSON"},
        Bad{"NoUtf8", safetensors("{\"\xFF\":1}", 0), "no valid JSON"},
        Bad{"CutJson", safetensors("{\"w\":{\"dtype\":\"F32\"", 0), "no valid JSON"},
        Bad{"TwoValues", safetensors("{}{}", 0), "no valid JSON"},
        Bad{"TwiceTheName",
            safetensors(
                R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                2),
            "w: the key occurs twice"},
        Bad{"TwiceTheShape", safetensors(f32(R"("shape":[1],"shape":[1],"data_offsets":[0,4])"), 4),
            "shape: the key occurs twice"},
        Bad{"Deep", safetensors("{\"w\":" + std::string(100, '['), 0), "nested deeper than 32"},
        Bad{"MetadataOfNumbers", safetensors(R"({"__metadata__":{"a":1}})", 0),
            "__metadata__.a: a string is wanted"},
        Bad{"MetadataNoObject", safetensors(R"({"__metadata__":"pt"})", 0),
            "__metadata__: a JSON object is wanted"},
        Bad{"NoObject", safetensors(R"({"w":5})", 0), "w: a JSON object is wanted"},
        Bad{"UnknownField", safetensors(f32(R"("shape":[1],"data_offsets":[0,4],"code":"x")"), 4),
            "w.code: is not supported"},
        Bad{"UnknownType",
            safetensors(R"({"w":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4),
            "w.dtype: \"F31\""},
        Bad{"NoType", safetensors(R"({"w":{"shape":[1],"data_offsets":[0,4]}})", 4),
            "w.dtype: is missing"},
        Bad{"NoShape", safetensors(f32(R"("data_offsets":[0,4])"), 4), "w.shape: is missing"},
        Bad{"NoOffsets", safetensors(f32(R"("shape":[1])"), 4), "w.data_offsets: is missing"},
        Bad{"NegativeSide", safetensors(f32(R"("shape":[-1],"data_offsets":[0,4])"), 4),
            "w.shape: counts from 0 up"},
        Bad{"FractionalSide", safetensors(f32(R"("shape":[1.0],"data_offsets":[0,4])"), 4),
            "w.shape: counts from 0 up"},
        Bad{"ShapeNoList", safetensors(f32(R"("shape":1,"data_offsets":[0,4])"), 4),
            "w.shape: a list is wanted"},
        Bad{"NineDimensions",
            safetensors(f32(R"("shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4])"), 4),
            "9 dimensions, more than 8"},
        Bad{"ShapeOverflows",
            safetensors(f32(R"("shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4])"),
                        4),
            "w.shape: the tensor is too large"},
        Bad{"EmptyAndTooLarge",
            safetensors(f32(R"("shape":[0,4611686018427387904,4],"data_offsets":[0,0])"), 0),
            "w.shape: the tensor is too large"},
        Bad{"OneOffset", safetensors(f32(R"("shape":[1],"data_offsets":[0])"), 4),
            "w.data_offsets: two numbers"},
        Bad{"OffsetsBackwards", safetensors(f32(R"("shape":[0],"data_offsets":[4,0])"), 4),
            "the end lies before the beginning"},
        Bad{"EndPastTheFile", safetensors(f32(R"("shape":[4],"data_offsets":[0,16])"), 12),
            "w.data_offsets: ends at byte 16 of data that has 12"},
        Bad{"LyingSize", safetensors(f32(R"("shape":[2],"data_offsets":[0,4])"), 4),
            "4 bytes, but dtype and shape make 8"},
        Bad{"GapAtTheStart", safetensors(f32(R"("shape":[1],"data_offsets":[4,8])"), 8),
            "w: a gap of 4 bytes"},
        Bad{"Overlap",
            safetensors(
                R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
                6),
            "b: overlaps"},
        Bad{"GapBetween",
            safetensors(
                R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
                3),
            "b: a gap of 1 bytes"},
        Bad{"Tail", safetensors(f32(R"("shape":[1],"data_offsets":[0,4])"), 9),
            "data: 5 bytes follow the last tensor"}),
    [](const auto& test) { return std::string(test.param.name); });

std::string good() {
  return safetensors(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1100],"data_offsets":[0,4400]},)"
      R"("b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4400,4412]},"c":{"dtype":"I64","shape":[],"data_offsets":[4412,4420]}})",
      4420);
}

// The lengths include a whole page, behind which a read too far is a fault.
TEST(SafetensorsCutShort, IsRefusedAtEveryLength) {
  const Folder folder;
  const auto whole = good();
  EXPECT_EQ(refusal([&] { SafetensorsFile file(folder.put("whole", whole)); }), "accepted");
  for (std::size_t length = 0; length < whole.size();
       length += length < 300 || (length > 4090 && length < 4100) ? 1 : 37)
    ASSERT_NE(refusal([&] { SafetensorsFile file(folder.put("cut", whole.substr(0, length))); }),
              "accepted")
        << length;
}

TEST(SafetensorsChanged, IsReadWholeOrRefusedButNeverMore) {
  const Folder folder;
  std::mt19937 random(5);
  const auto whole = good();
  const auto head = whole.size() - 4420;
  for (int i = 0; i < 600; ++i) {
    auto bytes = whole;
    for (auto n = 1 + random() % 3; n > 0; --n)
      bytes[random() % head] = "0123456789[]{},:\"\\aF\xFF\x00"[random() % 22];
    refusal([&] {
      const SafetensorsFile file(folder.put("changed", bytes));
      for (const auto& info : file.tensors()) refusal([&] { file.read_f32(info.name); });
    });
  }
}

TEST(BadShards, AreRefusedWhenIndexAndShardsDisagree) {
  const Folder folder;
  const auto one = [&](const std::string& name) {
    return safetensors("{\"" + name + R"(":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1);
  };
  folder.put("1.safetensors", one("a"));
  folder.put("2.safetensors", one("b"));
  const auto opened = [&](const std::string& map) {
    const auto path =
        folder.put("model.safetensors.index.json", "{\"metadata\":{},\"weight_map\":" + map + "}");
    return refusal([&] { ShardedSafetensors files(path); });
  };
  EXPECT_EQ(opened(R"({"a":"1.safetensors","b":"2.safetensors"})"), "accepted");
  EXPECT_THAT(opened(R"({"a":"1.safetensors","b":"3.safetensors"})"),
              HasSubstr("names 3.safetensors, which is not there"));
  EXPECT_THAT(opened(R"({"a":"1.safetensors","b":"1.safetensors"})"),
              HasSubstr("weight_map.b: is not in 1.safetensors"));
  EXPECT_THAT(opened(R"({"b":"1.safetensors"})"),
              HasSubstr("1.safetensors holds a, which the index does not place there"));
  EXPECT_THAT(opened(R"({"a":"1.safetensors","b":"2.safetensors","c":"2.safetensors"})"),
              HasSubstr("weight_map.c: is not in 2.safetensors"));
  EXPECT_THAT(opened(R"({"a":"../1.safetensors"})"), HasSubstr("no file name in the same folder"));
  EXPECT_THAT(opened("{\"a\":\"" + std::string(300, 'x') + "\"}"), HasSubstr("which is not there"));
  EXPECT_THAT(opened("{}"), HasSubstr("weight_map: is empty"));
  EXPECT_THAT(opened("[]"), HasSubstr("weight_map: a JSON object is wanted"));
}

}  // namespace
}  // namespace hone::rl
