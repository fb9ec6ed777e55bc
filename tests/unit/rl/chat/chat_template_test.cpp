#include "rl/chat/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

using testing::HasSubstr;

const std::vector<Message> kHello = {{"user", "hello"}};

std::string refusal(const std::string& source) {
  try {
    ChatTemplate::from_source(source);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::Invalid);
    return error.detail();
  }
  return "accepted";
}

struct Refused {
  const char* source;
  const char* says;
};

class OutsideTheSubset : public testing::TestWithParam<Refused> {};

TEST_P(OutsideTheSubset, IsRefusedByNameWhenTheTemplateIsRead) {
  EXPECT_THAT(refusal(GetParam().source), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Constructs, OutsideTheSubset,
    testing::Values(
        Refused{"{% macro m() %}{% endmacro %}", "line 1, column 1: the block \"macro\""},
        Refused{"a\n  {{ x | tojson }}", "line 2, column 8: the filter \"tojson\""},
        Refused{"{{ x | default('a') }}", "the filter \"default\""},
        Refused{"{{ x | trim('a') }}", "\"trim\" with arguments"},
        Refused{"{{ strftime_now('%Y') }}", "the function \"strftime_now\""},
        Refused{"{{ namespace(a=1) }}", "the function \"namespace\""},
        Refused{"{% set ns.a = 1 %}", "\".\" in a set"},
        Refused{"{% set a, b = 1 %}", "\",\" in a set"},
        Refused{"{{ x.split('a') }}", "the method \"split\""},
        Refused{"{{ x is mapping }}", "the test \"mapping\""},
        Refused{"{% for a, b in x %}{% endfor %}", "\",\" in a for"},
        Refused{"{% for a in x if a %}{% endfor %}", "\"if\" in a for"},
        Refused{"{% for a in x recursive %}{% endfor %}", "\"recursive\" in a for"},
        Refused{"{% for a in x %}{% else %}{% endfor %}", "else in a for"},
        Refused{"{% for a in x %}{% break %}{% endfor %}", "the block \"break\""},
        Refused{"{% generation %}{% endgeneration %}", "the block \"generation\""},
        Refused{"{% raw %}{% endraw %}", "the block \"raw\""}, Refused{"{{ 1.5 }}", "fraction"},
        Refused{"{{ 2 * 3 }}", "the operator \"*\""}, Refused{"{{ 4 / 2 }}", "the operator \"/\""},
        Refused{"{{ {'a': 1} }}", "a dictionary"}, Refused{"{{ (1, 2) }}", "a tuple"},
        Refused{"{{ x[::2] }}", "a slice with a step"},
        Refused{"{{ 1 < 2 < 3 }}", "a chain of comparisons"},
        Refused{"{{ 'a\\101' }}", "an escape by number"}, Refused{"{{ x", "a tag does not end"},
        Refused{"{# x", "a comment does not end"}, Refused{"{{ 'x }}", "a string does not end"},
        Refused{"{% if x %}a", "{% endif %} is missing"},
        Refused{"{% for a in x %}", "{% endfor %} is missing"},
        Refused{"{% endif %}", "the block \"endif\""}, Refused{"{{ }}", "a value is wanted"},
        Refused{"{{ x y }}", "\"y\" in an output"},
        Refused{"{{ x ? 1 : 2 }}", "\"?\" is not understood"},
        Refused{"{% set x %}a{% endset %}", "the end of the tag in a set"},
        Refused{"{{ 99999999999 }}", "too large"}, Refused{"\xFF", "not UTF-8"}));

TEST(ChatTemplate, RefusesToNestWithoutEnd) {
  const std::string open(5000, '(');
  EXPECT_THAT(refusal("{{ " + open + " }}"), HasSubstr("nested too deep"));
  std::string blocks;
  for (int i = 0; i < 5000; ++i) blocks += "{% if x %}";
  EXPECT_THAT(refusal(blocks), HasSubstr("nested too deep"));
  std::string nots;
  for (int i = 0; i < 5000; ++i) nots += "not ";
  EXPECT_THAT(refusal("{{ " + nots + "x }}"), HasSubstr("nested too deep"));
  std::string sum = "x";
  for (int i = 0; i < 100'000; ++i) sum += "+x";
  EXPECT_THAT(refusal("{{ " + sum + " }}"), HasSubstr("too long"));
}

std::string failure(const std::string& source) {
  const auto chat = ChatTemplate::from_source(source);
  try {
    return "rendered " + chat->render(kHello, true);
  } catch (const Error& error) {
    return error.detail();
  }
}

TEST(ChatTemplate, FailsWherePythonWould) {
  EXPECT_THAT(failure("{{ 'a' + 1 }}"), HasSubstr("a string plus an integer is no value"));
  EXPECT_THAT(failure("{{ missing.x }}"), HasSubstr("\"missing\" is not defined"));
  EXPECT_THAT(failure("{{ messages[5].role }}"),
              HasSubstr("element 5 of a list of 1 is not defined"));
  EXPECT_THAT(failure("{{ missing + 'a' }}"), HasSubstr("an undefined value plus a string"));
  EXPECT_THAT(failure("{{ 1 % 0 }}"), HasSubstr("division by zero"));
  EXPECT_THAT(failure("{{ raise_exception('no ' + messages[0].role) }}"),
              HasSubstr("refuses this conversation: no user"));
}

TEST(ChatTemplate, StopsAtItsStepLimit) {
  std::string source;
  for (int i = 0; i < 9; ++i) source += "{% for a in [1,1,1,1,1,1,1,1,1,1] %}";
  source += "x";
  for (int i = 0; i < 9; ++i) source += "{% endfor %}";
  EXPECT_THAT(failure(source), HasSubstr("more than 1000000 steps"));
}

TEST(ChatTemplate, AddsSmolLM2sDefaultSystemTurnAndPrompt) {
  const auto chat = ChatTemplate::from_source(
      "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ "
      "'<|im_start|>system\nYou are helpful<|im_end|>\n' }}{% endif %}"
      "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% "
      "endfor %}"
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}");
  EXPECT_EQ(chat->render(kHello, true),
            "<|im_start|>system\nYou are "
            "helpful<|im_end|>\n<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(chat->render({{"system", "s"}}, false), "<|im_start|>system\ns<|im_end|>\n");
}

TEST(ChatTemplate, TreatsContentAsTextWhateverItLooksLike) {
  EXPECT_EQ(ChatTemplate::from_source("{{ messages[0].content }}")
                ->render({{"user", "{{ 1 }}{% if %}"}}, false),
            "{{ 1 }}{% if %}");
}

TEST(ChatTemplate, RefusesMessagesThatAreNoUtf8) {
  EXPECT_THROW(ChatTemplate::from_source("x")->render({{"user", "\xC3"}}, false), Error);
}

}  // namespace
}  // namespace hone::rl
