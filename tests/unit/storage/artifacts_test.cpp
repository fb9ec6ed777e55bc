// The artifact store on a real folder.
#include "storage/artifacts/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "feedback/base/error.h"
#include "storage/artifacts/sha256.h"
#include "storage/ids.h"
#include "storage/redis/redis.h"

namespace hone::storage {
namespace {
namespace fs = std::filesystem;

class ArtifactStoreTest : public ::testing::Test {
 protected:
  fs::path folder = fs::temp_directory_path() / ("hone-store-" + new_uuid());
  ArtifactStore store{folder / "store"};
  ~ArtifactStoreTest() override { fs::remove_all(folder); }

  fs::path file(const std::string& content) {
    const auto path = folder / new_uuid();
    std::ofstream(path) << content;
    return path;
  }
  std::size_t files_in(const fs::path& where) {
    std::size_t n = 0;
    for (const auto& entry : fs::recursive_directory_iterator(where)) n += entry.is_regular_file();
    return n;
  }
};

TEST(Sha256, IsThatOfThePublishedExamples) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 pieces;
  pieces.update("a");
  pieces.update("bc");
  EXPECT_EQ(pieces.hex(), sha256_hex("abc"));
}

TEST_F(ArtifactStoreTest, GivesBackTheBytesUnderTheirHash) {
  const auto blob = store.put_bytes("hello");
  EXPECT_EQ(blob.sha256, sha256_hex("hello"));
  EXPECT_EQ(blob.bytes, 5);
  EXPECT_EQ(store.read(blob.sha256), "hello");
  EXPECT_EQ(store.size(blob.sha256), 5);
  EXPECT_TRUE(store.verify(blob.sha256));
  EXPECT_EQ(store.path(blob.sha256).parent_path().filename(), blob.sha256.substr(0, 2));
}

TEST_F(ArtifactStoreTest, KeepsOneCopyHoweverTheBytesCome) {
  const auto a = store.put_bytes("same");
  const auto b = store.put_file(file("same"));
  const auto c = store.adopt(file("same"));
  EXPECT_EQ(a.sha256, b.sha256);
  EXPECT_EQ(a.sha256, c.sha256);
  EXPECT_EQ(files_in(store.root()), 1U) << "and nothing in tmp";
}

TEST_F(ArtifactStoreTest, LinksAnAdoptedFileAndLeavesItWhereItWas) {
  const auto path = file("a large file");
  const auto blob = store.adopt(path);
  EXPECT_TRUE(fs::exists(path));
  EXPECT_EQ(fs::hard_link_count(path), 2U) << "no second copy on disk";
  EXPECT_EQ(store.read(blob.sha256), "a large file");
}

TEST_F(ArtifactStoreTest, FindsAFlippedByte) {
  const auto blob = store.put_bytes(std::string(100000, 'x'));
  const auto path = store.path(blob.sha256);
  ::chmod(path.c_str(), 0644);
  std::fstream(path, std::ios::in | std::ios::out).seekp(54321).put('y');
  EXPECT_FALSE(store.verify(blob.sha256));
}

TEST_F(ArtifactStoreTest, TakesTheSameBytesFromManyAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 20; ++n) store.put_bytes("content " + std::to_string(n));
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(files_in(store.root()), 20U);
}

TEST_F(ArtifactStoreTest, DoesNotTakeWhatACrashLeftForAnArtifactAndSweepsIt) {
  std::ofstream(store.root() / "tmp" / new_uuid()) << "half a fi";
  const ArtifactStore again(store.root());
  EXPECT_FALSE(again.exists(sha256_hex("half a file")));
  EXPECT_EQ(store.remove_leftovers(std::chrono::hours(24)), 0) << "it may be being written";
  EXPECT_EQ(store.remove_leftovers(std::chrono::seconds(0)), 1);
  EXPECT_EQ(files_in(store.root()), 0U);
}

TEST_F(ArtifactStoreTest, RefusesNamesThatAreNoHashes) {
  for (const std::string name :
       {"", "../../etc/passwd", "abc",
        "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"}) {
    EXPECT_THROW(store.exists(name), Error) << name;
    EXPECT_THROW(store.path(name), Error) << name;
  }
  EXPECT_THROW(store.path(sha256_hex("absent")), Error);
  EXPECT_THROW(store.put_file(folder / "absent"), Error);
  EXPECT_THROW(store.put_file(folder), Error) << "a folder";
}

TEST(Ids, AreVersionSevenInTimesOrderAndNeverEqual) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto id = new_uuid();
    EXPECT_TRUE(is_uuid(id));
    EXPECT_EQ(id[14], '7');
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
    EXPECT_TRUE(seen.insert(id).second);
  }
  const auto first = new_uuid();
  ::usleep(3000);
  EXPECT_LT(first, new_uuid());
  for (const auto* text :
       {"", "x", "0190163d-8694-739b-aea5-966c26f8ad9", "0190163d08694-739b-aea5-966c26f8ad91",
        "0190163g-8694-739b-aea5-966c26f8ad91"})
    EXPECT_FALSE(is_uuid(text)) << text;
}

TEST(RedisUrl, IsASocketOrAHost) {
  const auto socket = parse_redis_url("unix:/run/redis.sock?password=se:c@ret");
  EXPECT_EQ(socket.socket, "/run/redis.sock");
  EXPECT_EQ(socket.password, "se:c@ret");
  const auto host = parse_redis_url("redis://:secret@localhost:6380/0");
  EXPECT_EQ(host.host, "localhost");
  EXPECT_EQ(host.port, 6380);
  EXPECT_EQ(host.password, "secret");
  EXPECT_EQ(parse_redis_url("redis://localhost").port, 6379);
  for (const auto* url :
       {"", "localhost", "unix:", "redis://", "redis://h:0", "redis://h:99999", "redis://h:x"})
    EXPECT_THROW(parse_redis_url(url), Error) << url;
}

}  // namespace
}  // namespace hone::storage
