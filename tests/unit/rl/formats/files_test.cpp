#include "rl/formats/files.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

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

TEST(Files, HashesAsFips180SaysOfAbc) {
  const Folder folder;
  const auto* wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(sha256_of("abc"), wanted);
  EXPECT_EQ(sha256_of_file(folder.put("f", "abc")), wanted);
  EXPECT_EQ(sha256_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace hone::rl
