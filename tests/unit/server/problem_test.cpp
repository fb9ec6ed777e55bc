// The body of every refusal: RFC 9457's members and the `error` object beside them.
#include "services/server/json/problem.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "services/server/auth/digest.h"
#include "services/shared/clock.h"

namespace hone::server {
namespace {

using httpd::http::status;

TEST(Problem, IsBothRfc9457AndWhatOpenAiClientsRead) {
  httpd::Request request;
  request.path = "/api/v1/runs";
  const auto response =
      to_response(Error(Code::Invalid, "beta must be positive", "/hyperparameters/beta", 3));
  ASSERT_EQ(response.status, status::unprocessable_entity);
  const auto json = nlohmann::json::parse(
      problem_json(std::get<httpd::Problem>(response.body), response.status, request));
  EXPECT_EQ(json["title"], "Unprocessable Entity");
  EXPECT_EQ(json["status"], 422);
  EXPECT_EQ(json["detail"], "beta must be positive");
  EXPECT_EQ(json["instance"], "/api/v1/runs");
  EXPECT_EQ(json["error"]["message"], "beta must be positive");
  EXPECT_EQ(json["error"]["type"], "invalid_request_error");
  EXPECT_EQ(json["error"]["param"], "/hyperparameters/beta");
  EXPECT_EQ(json["error"]["code"], "invalid");
  EXPECT_EQ(json["errors"][0]["line"], 3);
}

TEST(Problem, SaysWhenToComeBack) {
  const auto response = to_response(Error(Code::Busy, "full"));
  EXPECT_EQ(response.status, status::service_unavailable);
  EXPECT_EQ(response.headers.front(), std::make_pair(std::string("Retry-After"), std::string("1")));
}

TEST(Problem, SurvivesTextThatIsNotUtf8) {
  httpd::Problem problem;
  problem.detail = "\xff\xfe";
  EXPECT_NO_THROW(problem_json(problem, status::bad_request, {}));
}

// Test vectors: SHA-256 of "abc" (FIPS 180-2), HMAC-SHA-256 of RFC 4231, case 2.
TEST(Digest, AgreesWithTheStandards) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hmac_hex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_TRUE(same_secret("abc", "abc"));
  EXPECT_FALSE(same_secret("abc", "abd"));
  EXPECT_FALSE(same_secret("abc", "ab"));
}

TEST(Digest, Draws256BitsForACookie) {
  shared::SystemRandom random;
  const auto text = random_text(random, 32);
  EXPECT_EQ(text.size(), 43u);
  EXPECT_EQ(
      text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
      std::string::npos);
  EXPECT_NE(text, random_text(random, 32));
}

}  // namespace
}  // namespace hone::server
