#include "services/httpd/target.h"

#include <gtest/gtest.h>

#include "services/httpd/address.h"

namespace hone::httpd {
namespace {

TEST(Target, IsDecodedOnce) {
  const auto target = parse_target("/a%20b/%252e?x=1+2&y=%2B&z");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/a b/%2e");
  const std::vector<std::pair<std::string, std::string>> want = {
      {"x", "1 2"}, {"y", "+"}, {"z", ""}};
  EXPECT_EQ(target->query, want);
}

TEST(Target, RefusesEveryWayOutOfItsFolder) {
  for (const char* text : {"/..",
                           "/../etc/passwd",
                           "/a/../b",
                           "/a/..",
                           "/%2e%2e/x",
                           "/%2E%2e",
                           "/.",
                           "/a/./b",
                           "/..%2fetc",
                           "/a%2Fb",
                           "/a%5cb",
                           "/a\\b",
                           "//etc",
                           "/a//b",
                           "/a%00b",
                           "/a%0d%0ab",
                           "/%c0%ae%c0%ae/",
                           "/%e0%80%af",
                           "/%ed%a0%80",
                           "/%ff",
                           "/%",
                           "/%4",
                           "/%zz",
                           "",
                           "a",
                           "*",
                           "http://other/",
                           "/x?a=%00",
                           "/x?a=%ff"})
    EXPECT_FALSE(parse_target(text)) << text;
}

TEST(Target, TakesUtf8) { EXPECT_EQ(parse_target("/%E6%97%A5%F0%9F%98%80")->path, "/日😀"); }

TEST(Target, EncodesSoThatDecodingGivesItBack) {
  const std::string text = "a b/ü+%;\"";
  EXPECT_EQ(percent_decode(percent_encode(text), false), text);
}

TEST(Address, KnowsLoopback) {
  EXPECT_TRUE(is_loopback("127.0.0.1"));
  EXPECT_TRUE(is_loopback("127.9.9.9"));
  EXPECT_TRUE(is_loopback("::1"));
  EXPECT_TRUE(is_loopback("localhost"));
  EXPECT_FALSE(is_loopback("0.0.0.0"));
  EXPECT_FALSE(is_loopback("192.168.1.1"));
  EXPECT_FALSE(is_loopback("::"));
}

TEST(Address, BelievesOnlyTrustedProxies) {
  EXPECT_EQ(client_of("10.0.0.1", "1.2.3.4", {}), "10.0.0.1");
  EXPECT_EQ(client_of("10.0.0.1", "1.2.3.4", {"10.0.0.0/8"}), "1.2.3.4");
  EXPECT_EQ(client_of("11.0.0.1", "1.2.3.4", {"10.0.0.0/8"}), "11.0.0.1");
  // A client may write what it likes in front; only the last hop before our proxies counts.
  EXPECT_EQ(client_of("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", {"10.0.0.0/8"}), "1.2.3.4");
  EXPECT_EQ(client_of("10.0.0.1", "6.6.6.6, rubbish", {"10.0.0.0/8"}), "10.0.0.1");
}

}  // namespace
}  // namespace hone::httpd
