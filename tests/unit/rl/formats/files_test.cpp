#include "rl/formats/files.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/unit/rl/formats/support.h"

namespace hone::rl {
namespace {

using testing::HasSubstr;

TEST(Files, WritesWholeOrNotAtAll) {
  const Folder folder;
  const auto path = folder.put("f", "before");
  EXPECT_THROW(write_file(path,
                          [](const Sink& sink) {
                            sink("half", 4);
                            throw std::runtime_error("the disk is full");
                          }),
               std::runtime_error);
  EXPECT_EQ(read_file(path, 100), "before");
  write_file(path, "after");
  EXPECT_EQ(read_file(path, 100), "after");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path), {}),
            1);  // nothing temporary is left
}

TEST(Files, RefusesLinksPipesFoldersAndTooMuch) {
  const Folder folder;
  const auto path = folder.put("f", "content");
  std::filesystem::create_symlink(path, folder.path / "link");
  ASSERT_EQ(::mkfifo((folder.path / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(refusal([&] { read_file(folder.path / "link", 100); }),
              HasSubstr("is a symbolic link"));
  EXPECT_THAT(refusal([&] { Mapping mapping(folder.path / "link"); }),
              HasSubstr("is a symbolic link"));
  EXPECT_THAT(refusal([&] { read_file(folder.path / "pipe", 100); }),
              HasSubstr("is not a regular file"));
  EXPECT_THAT(refusal([&] { read_file(folder.path, 100); }), HasSubstr("is not a regular file"));
  EXPECT_THAT(refusal([&] { read_file(path, 3); }), HasSubstr("7 bytes, more than the 3 allowed"));
  try {
    read_file(folder.path / "none", 100);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::NotFound);
  }
}

/// Kilobytes that this process holds of what is mapped at `data`. (The sums in /proc/self/status
/// lag.)
std::int64_t held_kb(const void* data) {
  std::ostringstream begin;
  begin << std::hex << reinterpret_cast<std::uintptr_t>(data) << "-";
  std::ifstream maps("/proc/self/smaps");
  bool found = false;
  for (std::string line; std::getline(maps, line);) {
    found = found || line.starts_with(begin.str());
    if (found && line.starts_with("Rss:")) return std::stoll(line.substr(4));
  }
  return -1;
}

TEST(Mapping, ForgottenBytesTakeNoMemoryAndCanBeReadAgain) {
  const Folder folder;
  std::string content(4 << 20, ' ');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 + i / 4096);
  const Mapping mapping(folder.put("f", content));
  const auto whole = [&] {
    return std::memcmp(mapping.data(), content.data(), content.size()) == 0;
  };
  ASSERT_TRUE(whole());
  EXPECT_EQ(held_kb(mapping.data()), 4096);
  mapping.forget(mapping.data() + 1000, content.size() - 2000);
  EXPECT_EQ(held_kb(mapping.data()), 8);  // the page at either end
  for (const std::uint64_t bytes : {0, 1, 4096, 5000}) mapping.forget(mapping.data() + 5000, bytes);
  mapping.forget(mapping.data() + content.size() - 1, 1);
  EXPECT_TRUE(whole());
}

TEST(Files, HashesAsFips180SaysOfAbc) {
  const Folder folder;
  const auto* wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(sha256_of("abc"), wanted);
  EXPECT_EQ(sha256_of_file(folder.put("f", "abc")), wanted);
  EXPECT_EQ(sha256_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace hone::rl
