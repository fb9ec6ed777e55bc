#include <cstdint>

#include "services/httpd/response.h"

#include <gtest/gtest.h>

#include "feedback/base/error.h"
#include "services/httpd/range.h"
#include "services/httpd/request.h"
#include "services/httpd/sse.h"
#include "services/httpd/tar.h"

namespace hone::httpd {
namespace {

TEST(Range, FollowsTheRfcForOneRange) {
  const auto expect = [](const char* header, Range::Kind kind, std::uint64_t first,
                         std::uint64_t count) {
    const auto range = parse_range(header, 100);
    EXPECT_EQ(range.kind, kind) << header;
    EXPECT_EQ(range.first, first) << header;
    EXPECT_EQ(range.count, count) << header;
  };
  expect("", Range::Kind::Whole, 0, 100);
  expect("bytes=0-9", Range::Kind::Part, 0, 10);
  expect("bytes=90-", Range::Kind::Part, 90, 10);
  expect("bytes=-10", Range::Kind::Part, 90, 10);
  expect("bytes=-1000", Range::Kind::Part, 0, 100);
  expect("bytes=99-1000", Range::Kind::Part, 99, 1);
  expect("bytes=100-", Range::Kind::Unsatisfiable, 0, 0);
  expect("bytes=-0", Range::Kind::Unsatisfiable, 0, 0);
  expect("bytes=9-0", Range::Kind::Whole, 0, 100);
  expect("bytes=0-1,5-6", Range::Kind::Whole, 0, 100);
  expect("lines=0-1", Range::Kind::Whole, 0, 100);
  expect("bytes=99999999999999999999-", Range::Kind::Whole, 0, 100);
}

TEST(Attachment, LetsNoNameOutOfItsQuotes) {
  EXPECT_EQ(
      attachment("a\"; x=\r\ny/é"),
      "attachment; filename=\"a__ x=__y___\"; filename*=UTF-8''a%22%3B%20x%3D%0D%0Ay%2F%C3%A9");
}

TEST(Sse, KeepsLineBreaksInsideTheEvent) {
  EXPECT_EQ(sse_event(7, "metrics", "{\"a\":1}"), "id: 7\nevent: metrics\ndata: {\"a\":1}\n\n");
  EXPECT_EQ(sse_event(std::nullopt, "end", "a\r\nb"), "event: end\ndata: a\ndata: b\n\n");
}

TEST(Tar, SplitsLongNamesAndRefusesWhatUstarCannotHold) {
  const auto header = tar_header({std::string(90, 'd') + "/" + std::string(90, 'f'), "", 5});
  ASSERT_EQ(header.size(), 512u);
  EXPECT_EQ(header.substr(0, 90), std::string(90, 'f'));
  EXPECT_EQ(header.substr(345, 90), std::string(90, 'd'));
  EXPECT_EQ(header.substr(257, 5), "ustar");
  EXPECT_THROW(tar_header({std::string(101, 'f'), "", 5}), Error);
  EXPECT_THROW(tar_header({"/etc/passwd", "", 5}), Error);
}

TEST(Request, FindsItsCookieAmongOthers) {
  Request request;
  request.headers = {{"cookie", "a=1; __Host-hone=secret; b=2"}};
  EXPECT_EQ(request.cookie("__Host-hone"), "secret");
  EXPECT_EQ(request.cookie("Host-hone"), "");
  EXPECT_EQ(request.cookie("b"), "2");
}

}  // namespace
}  // namespace hone::httpd
