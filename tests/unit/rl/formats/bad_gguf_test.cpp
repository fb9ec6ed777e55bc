// Truncated, lying and hostile GGUF files, each with its own refusal.
#include <gmock/gmock.h>

#include <cstdint>
#include <random>

#include "rl/formats/gguf.h"
#include "tests/unit/rl/formats/support.h"

namespace hone::rl {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::uint32_t kF32 = 0;
constexpr std::uint32_t kQ80 = 8;

struct Bad {
  const char* name;
  std::string bytes;
  const char* says;
};

void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

class BadGguf : public testing::TestWithParam<Bad> {};

TEST_P(BadGguf, IsRefusedWithFileAndField) {
  const Folder folder;
  const auto path = folder.put("bad.gguf", GetParam().bytes);
  EXPECT_THAT(refusal([&] { GgufFile file(path); }),
              AllOf(HasSubstr("bad.gguf: "), HasSubstr(GetParam().says)));
}

GgufBytes with(const std::function<void(GgufBytes&)>& change) {
  GgufBytes made;
  change(made);
  return made;
}

std::string list(std::uint32_t item, std::uint64_t count, const std::string& values) {
  return little(item) + little(count) + values;
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadGguf,
    testing::Values(
        Bad{"Empty", "", "magic: the file ends at byte 0"},
        Bad{"OtherMagic", with([](auto& g) { g.magic = "GGML"; }).bytes(),
            "does not begin with GGUF"},
        Bad{"Version2", with([](auto& g) { g.version = 2; }).bytes(),
            "version: 2 is not supported"},
        Bad{"BigEndian", with([](auto& g) { g.version = 0x03000000; }).bytes(),
            "a big-endian file"},
        Bad{"ManyTensors", with([](auto& g) { g.tensor_count = 1ULL << 60; }).bytes(),
            "tensor count: 1152921504606846976 is more than"},
        Bad{"ManyKeys", with([](auto& g) { g.key_count = 1ULL << 60; }).bytes(),
            "key count: 1152921504606846976 is more than"},
        Bad{"FewerKeysThanSaid", with([](auto& g) { g.u32("a", 1).key_count = 2; }).bytes(),
            "key 2 of 2"},
        Bad{"KeyNameTooLong", with([](auto& g) {
                                g.keys = little<std::uint64_t>(70'000) + std::string(80'000, 'k');
                                g.key_count = 1;
                              }).bytes(),
            "a length of 70000 bytes, more than 65535"},
        Bad{"KeyNameOverflows", with([](auto& g) {
                                  g.keys = little<std::uint64_t>(~0ULL);
                                  g.key_count = 1;
                                }).bytes(),
            "key 1 of 1: a length of 18446744073709551615"},
        Bad{"KeyNoUtf8", with([](auto& g) { g.u32("\xFF", 1); }).bytes(),
            "key 1 of 1: its name is empty or not UTF-8"},
        Bad{"KeyTwice", with([](auto& g) { g.u32("a", 1).u32("a", 2); }).bytes(),
            "a: the key occurs twice"},
        Bad{"UnknownValueType", with([](auto& g) { g.key("a", 13, little(1)); }).bytes(),
            "a: 13 is no value type"},
        Bad{"TextPastTheEnd",
            with([](auto& g) { g.key("a", 8, little<std::uint64_t>(1'000'000)); }).bytes(),
            "a: a length of 1000000 bytes, more than"},
        Bad{"ListPastTheEnd", with([](auto& g) { g.key("a", 9, list(4, 1ULL << 61, "")); }).bytes(),
            "a: a list of 2305843009213693952 items does not fit"},
        Bad{"ListOfTextsPastTheEnd",
            with([](auto& g) { g.key("a", 9, list(8, 3, GgufBytes::text("x"))); }).bytes(),
            "a: a list of 3 items does not fit"},
        Bad{"ListOfLists", with([](auto& g) { g.key("a", 9, list(9, 1, list(4, 0, ""))); }).bytes(),
            "a: a list of lists"},
        Bad{"Truth2", with([](auto& g) { g.key("a", 7, "\2"); }).bytes(),
            "a: a truth value is neither 0 nor 1"},
        Bad{"AlignmentOf3", with([](auto& g) { g.u32("general.alignment", 3); }).bytes(),
            "general.alignment: 3 is no power of two"},
        Bad{"AlignmentOf0", with([](auto& g) { g.u32("general.alignment", 0); }).bytes(),
            "general.alignment: 0 is no power of two"},
        Bad{"AlignmentAText", with([](auto& g) { g.string("general.alignment", "32"); }).bytes(),
            "general.alignment: an integer is wanted"},
        Bad{"NoDimensions", with([](auto& g) { g.tensor("t", {}, kF32, 0); }).bytes(),
            "t: 0 dimensions"},
        Bad{"FiveDimensions", with([](auto& g) {
                                g.tensor("t", {1, 1, 1, 1, 1}, kF32, 0);
                              }).bytes(),
            "t: 5 dimensions"},
        Bad{"SideOf0", with([](auto& g) { g.tensor("t", {0}, kF32, 0); }).bytes(),
            "t: a side of length 0"},
        Bad{"ShapeOverflows", with([](auto& g) {
                                g.tensor("t", {1ULL << 40, 1ULL << 40}, kF32, 0);
                              }).bytes(),
            "t: the tensor is too large"},
        Bad{"SideOverflows", with([](auto& g) {
                               g.tensor("t", {~0ULL, ~0ULL, ~0ULL}, kF32, 0);
                             }).bytes(),
            "t: the tensor is too large"},
        Bad{"BytesOverflow", with([](auto& g) { g.tensor("t", {1ULL << 62}, kF32, 0); }).bytes(),
            "t: the tensor is too large"},
        Bad{"UnknownNumberType", with([](auto& g) { g.tensor("t", {256}, 16, 0); }).bytes(),
            "t: number type 16 is not supported"},
        Bad{"RowNoWholeBlocks", with([](auto& g) { g.tensor("t", {33}, kQ80, 0); }).bytes(),
            "t: rows of 33 do not divide into blocks of 32 (Q8_0)"},
        Bad{"NameNoUtf8", with([](auto& g) { g.tensor("\xC0", {1}, kF32, 0); }).bytes(),
            "tensor 1: its name"},
        Bad{"TensorTwice", with([](auto& g) {
                             g.tensor_with_data("t", {1}, kF32, floats({1}))
                                 .tensor_with_data("t", {1}, kF32, floats({1}));
                           }).bytes(),
            "t: the tensor occurs twice"},
        Bad{"FewerTensorsThanSaid", with([](auto& g) {
                                      g.tensor_with_data("t", {1}, kF32, floats({1})).tensor_count =
                                          2;
                                    }).bytes(),
            "tensor 2: "},
        Bad{"OffsetUnaligned",
            with([](auto& g) { g.tensor("t", {1}, kF32, 4).data = std::string(32, 0); }).bytes(),
            "t: its offset 4 is no multiple"},
        Bad{"GapBefore",
            with([](auto& g) { g.tensor("t", {1}, kF32, 32).data = std::string(64, 0); }).bytes(),
            "t: a gap of 32 bytes"},
        Bad{"Overlap", with([](auto& g) {
                         g.tensor("t", {8}, kF32, 0).tensor("u", {8}, kF32, 0).data =
                             std::string(64, 0);
                       }).bytes(),
            "u: overlaps"},
        Bad{"PastTheEnd",
            with([](auto& g) { g.tensor("t", {64}, kF32, 0).data = std::string(64, 0); }).bytes(),
            "t: ends at byte 256 of data that has 64"},
        Bad{"NoData", with([](auto& g) { g.tensor("t", {64}, kF32, 0); }).bytes(),
            "t: ends at byte 256 of data that has 0"},
        Bad{"Tail", with([](auto& g) {
                      g.tensor_with_data("t", {8}, kF32, std::string(32, 0)).data +=
                          std::string(40, 'z');
                    }).bytes(),
            "data: 40 bytes follow"},
        Bad{"TailWithoutTensors", with([](auto& g) { g.data = "PK"; }).bytes(),
            "data: 2 bytes follow"}),
    [](const auto& test) { return std::string(test.param.name); });

std::string good() {
  GgufBytes made;
  made.string("general.architecture", "llama")
      .f32("x", 1.5F)
      .strings("names", {"a", "bb", ""})
      .key("flag", 7, "\1");
  made.tensor_with_data("t", {8, 150}, kF32, std::string(4800, '\0'))
      .tensor_with_data("q", {32}, kQ80, std::string(32, '\1') + "\1\1");
  return made.bytes();
}

TEST(GgufCutShort, IsRefusedAtEveryLength) {
  const Folder folder;
  const auto whole = good();
  EXPECT_EQ(refusal([&] { GgufFile file(folder.put("whole", whole)); }), "accepted");
  const auto end = whole.size() - 30;  // the last tensor's padding may be left away
  EXPECT_EQ(refusal([&] { GgufFile file(folder.put("unpadded", whole.substr(0, end))); }),
            "accepted");
  for (std::size_t length = 0; length < end;
       length += length < 400 || (length > 4090 && length < 4100) ? 1 : 37)
    ASSERT_NE(refusal([&] { GgufFile file(folder.put("cut", whole.substr(0, length))); }),
              "accepted")
        << length;
}

TEST(GgufChanged, IsReadWholeOrRefusedButNeverMore) {
  const Folder folder;
  std::mt19937 random(5);
  const auto whole = good();
  const auto head = whole.size() - 4800 - 64;
  for (int i = 0; i < 600; ++i) {
    auto bytes = whole;
    for (auto n = 1 + random() % 3; n > 0; --n)
      bytes[4 + random() % (head - 4)] = static_cast<char>(random() % 3 == 0 ? 0xFF : random());
    refusal([&] {
      const GgufFile file(folder.put("changed", bytes));
      for (const auto& tensor : file.tensors()) file.read_f32(tensor);
      for (const auto* key : {"names", "general.architecture", "x", "flag"})
        for (const auto& read : std::vector<std::function<void()>>{
                 [&] { file.text(key); }, [&] { file.texts(key); }, [&] { file.integer(key); },
                 [&] { file.number(key); }, [&] { file.integers(key); },
                 [&] { file.boolean(key); }})
          refusal(read);
    });
  }
}

}  // namespace
}  // namespace hone::rl
