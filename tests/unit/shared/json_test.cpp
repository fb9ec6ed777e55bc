// JSON under limits: what is at a limit passes, what is one beyond is refused and says where.
#include <cstdint>

#include "services/shared/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"

namespace hone::shared {
namespace {

using testing::HasSubstr;

Error refused(const std::string& text, const JsonLimits& limits = {}) {
  try {
    parse_json(text, limits, 7);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::Invalid);
    EXPECT_EQ(error.line(), 7);
    return error;
  }
  ADD_FAILURE() << "was taken: " << text.substr(0, 80);
  return Error(Code::Invalid, "");
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(Json, TakesADepthOf64AndRefuses65) {
  EXPECT_NO_THROW(parse_json(nested(64)));
  EXPECT_THAT(refused(nested(65)).detail(), HasSubstr("deeper than 64"));
}

TEST(Json, StopsABodyThatIsAMillionLevelsDeepWithoutBuildingIt) {
  EXPECT_THAT(refused(std::string(1'000'000, '[')).detail(), HasSubstr("deeper than 64"));
  std::string objects;
  for (int i = 0; i < 200'000; ++i) objects += R"({"a":)";
  EXPECT_THAT(refused(objects).detail(), HasSubstr("deeper than 64"));
}

TEST(Json, CountsValuesUpToItsLimit) {
  const auto list = [](int items) {
    std::string text = "[0";
    for (int i = 1; i < items; ++i) text += ",0";
    return text + "]";
  };
  EXPECT_NO_THROW(parse_json(list(9), {.nodes = 10}));  // the list itself is one
  EXPECT_THAT(refused(list(10), {.nodes = 10}).detail(), HasSubstr("more than 10 values"));
}

TEST(Json, MeasuresStringsUpToTheirLimit) {
  const auto text = [](std::size_t n) { return "\"" + std::string(n, 'x') + "\""; };
  EXPECT_NO_THROW(parse_json(text(256 * 1024)));
  refused(text(256 * 1024 + 1));
  refused("{" + text(256 * 1024 + 1) + ":1}");
}

TEST(Json, RefusesAMemberThatIsGivenTwiceAndNamesIt) {
  EXPECT_EQ(refused(R"({"a": {"b/c": 1, "b/c": 2}})").pointer(), "/a/b~1c");
}

TEST(Json, KeepsIntegersOf64BitsAndRefusesLargerOnes) {
  EXPECT_EQ(parse_json("9223372036854775807").get<std::int64_t>(), INT64_MAX);
  EXPECT_EQ(parse_json("-9223372036854775808").get<std::int64_t>(), INT64_MIN);
  EXPECT_EQ(refused(R"({"seed": 9223372036854775808})").pointer(), "/seed");
  refused("-9223372036854775809");
  refused("123456789012345678901234567890");
  EXPECT_DOUBLE_EQ(parse_json("1e300").get<double>(), 1e300);
}

TEST(Json, RefusesTheCharacterThatPostgresqlCannotKeep) {
  EXPECT_EQ(refused(R"({"list": [1, "a\u0000b"]})").pointer(), "/list/1");
  refused(R"({"a\u0000": 1})");
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":1,}", "nul", "1 2", "\"\x80\"", "NaN", "1e999",
                           "'a'", "{\"a\" 1}", "\"\\ud800\""})
    refused(text);
}

TEST(Fields, NamesTheMemberThatIsWrong) {
  const auto json = parse_json(
      R"({"name": "", "n": 11, "x": 1.5, "flag": "yes", "kind": "c", "id": "no", "sub": {"deep": 1}})");
  Fields body(json);
  const auto pointer_of = [](auto act) -> std::string {
    try {
      act();
    } catch (const Error& error) {
      return error.pointer();
    }
    return "taken";
  };
  EXPECT_EQ(pointer_of([&] { body.text("name", {1, 10}); }), "/name");
  EXPECT_EQ(pointer_of([&] { body.integer("n", 1, 10); }), "/n");
  EXPECT_EQ(pointer_of([&] { body.integer("x", 1, 10); }), "/x");
  EXPECT_EQ(pointer_of([&] { body.boolean("flag"); }), "/flag");
  EXPECT_EQ(pointer_of([&] { body.word("kind", {"a", "b"}); }), "/kind");
  EXPECT_EQ(pointer_of([&] { body.uuid("id"); }), "/id");
  EXPECT_EQ(pointer_of([&] { body.text("absent", {1, 10}); }), "/absent");
  EXPECT_EQ(pointer_of([&] { body.object("sub").text("deep", {1, 10}); }), "/sub/deep");
}

TEST(Fields, RefusesMembersThatNobodyAskedFor) {
  const auto json = parse_json(R"({"name": "a", "nmae": "b"})");
  Fields body(json);
  body.text("name", {1, 10});
  try {
    body.done();
    FAIL() << "an unknown member was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.pointer(), "/nmae");
  }
}

TEST(Fields, TakesNullForAbsent) {
  const auto json = parse_json(R"({"a": null})");
  Fields body(json);
  EXPECT_FALSE(body.find_integer("a", 0, 1));
  EXPECT_FALSE(body.has("b"));
  EXPECT_NO_THROW(body.done());
}

}  // namespace
}  // namespace hone::shared
