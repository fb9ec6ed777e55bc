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
        Refused{"{% call m() %}{% endcall %}", "line 1, column 1: the block \"call\""},
        Refused{"a\n  {{ x | xmlattr }}", "line 2, column 8: the filter \"xmlattr\""},
        Refused{"{{ x | safe }}", "the filter \"safe\""},
        Refused{"{{ x | default.d }}", "the filter \"default\""},
        Refused{"{{ lipsum() }}", "\"lipsum\" is not supported"},
        Refused{"{{ self.x }}", "\"self\" is not supported"},
        Refused{"{{ nothing(1) }}", "the function \"nothing\""},
        Refused{"{{ x.format(1) }}", "the method \"format\""},
        Refused{"{{ x.append(1) }}", "the method \"append\""},
        Refused{"{{ x[0](1) }}", "calling a value"},
        Refused{"{{ f(*x) }}", "\"*\" before an argument"},
        Refused{"{{ range(a=1, a=2) }}", "the argument \"a\" comes twice"},
        Refused{"{{ range(a=1, 2) }}", "an argument without a name after"},
        Refused{"{{ x is upper }}", "the test \"upper\""},
        Refused{"{{ x is defined if y }}", "a value is wanted, not \"if\""},
        Refused{"{% for a in x recursive %}{% endfor %}", "\"recursive\" in a for"},
        Refused{"{% for loop in x %}{% endfor %}", "\"loop\" cannot be set"},
        Refused{"{% for a in x if loop.first %}{% endfor %}", "\"loop\" in a loop's condition"},
        Refused{"{{ loop }}", "\"loop\" by itself"},
        Refused{"{{ loop.changed(1) }}", "\"loop.changed\""},
        Refused{"{% break %}", "\"break\" outside a loop"},
        Refused{"{% for a in x %}{% set b %}{% break %}{% endset %}{% endfor %}",
                "\"break\" outside a loop"},
        Refused{"{% for a in x %}{% generation %}{% continue %}{% endgeneration %}{% endfor %}",
                "\"continue\" outside a loop"},
        Refused{"{% for a in x %}{% macro m() %}{% endmacro %}{% endfor %}",
                "\"macro\" inside a for"},
        Refused{"{% macro m(a, a) %}{% endmacro %}", "\"a\" comes twice"},
        Refused{"{% macro m(a=1, b) %}{% endmacro %}", "a parameter without a default after"},
        Refused{"{% macro m() %}{% generation %}{% endgeneration %}{% endmacro %}",
                "\"generation\" inside a set, macro"},
        Refused{"{% set true = 1 %}", "\"true\" cannot be set"},
        Refused{"{% raw %}{% endraw %}", "the block \"raw\""},
        Refused{"{% include 'x' %}", "the block \"include\""},
        Refused{"{{ 1_000 }}", "only plain decimal numbers"}, Refused{"{{ 0x1F }}", "only plain"},
        Refused{"{{ 007 }}", "begins with 0"}, Refused{"{{ 9999999999999999999 }}", "too large"},
        Refused{"{{ 'a\\N{DASH}' }}", "an escape by name"}, Refused{"{{ '\\é' }}", "outside ASCII"},
        Refused{"{{ '\\ud800' }}", "no character"}, Refused{"{{ x", "a tag does not end"},
        Refused{"{{ {'a': 1", "a tag does not end"},
        Refused{"{{ (1] }}", "\"]\" closes no bracket"}, Refused{"{# x", "a comment does not end"},
        Refused{"{{ 'x }}", "a string does not end"},
        Refused{"{% if x %}a", "{% endif %} is missing"},
        Refused{"{% if x if y else z %}{% endif %}", "\"if\" in an if"},
        Refused{"{% for a in x %}", "{% endfor %} is missing"},
        Refused{"{% set x %}", "{% endset %} is missing"},
        Refused{"{% endif %}", "the block \"endif\""}, Refused{"{{ }}", "a value is wanted"},
        Refused{"{{ x y }}", "\"y\" in an output"},
        Refused{"{{ x ? 1 : 2 }}", "\"?\" is not understood"},
        Refused{"{{ é }}", "\"é\" is not understood"},
        Refused{"{% set x.y.z = 1 %}", "\".\" in a set"},
        Refused{"{% for m in [1] %}{{ tools }}{% endfor %}{% set tools = 1 %}",
                "\"tools\" is read here and set after"},
        Refused{"\xFF", "not UTF-8"}));

TEST(ChatTemplate, RefusesToNestWithoutEnd) {
  const std::string open(5000, '(');
  EXPECT_THAT(refusal("{{ " + open + "x" + std::string(5000, ')') + " }}"),
              HasSubstr("nested too deep"));
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

class RefusedWhenCarriedOut : public testing::TestWithParam<Refused> {};

TEST_P(RefusedWhenCarriedOut, ByNameWherePythonWouldFailOrWeCannot) {
  EXPECT_THAT(failure(GetParam().source), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Python, RefusedWhenCarriedOut,
    testing::Values(
        Refused{"{{ 'a' + 1 }}", "a string plus an integer is no value"},
        Refused{"{{ missing.x }}", "\"missing\" is not defined"},
        Refused{"{{ messages[5].role }}", "element 5 of a list of 1 is not defined"},
        Refused{"{{ missing + 'a' }}", "an undefined value plus a string"},
        Refused{"{{ 1 % 0 }}", "division by zero"},
        Refused{"{{ 'a'.split('') }}", "an empty separator"},
        Refused{"{{ raise_exception('no ' + messages[0].role) }}",
                "refuses this conversation: no user"},
        Refused{"{{ missing | tojson }}", "an undefined value has no JSON"},
        Refused{"{% set x = {} %}{% set x.y = 1 %}", "an attribute of a dictionary cannot be set"},
        Refused{"{% set a, b = [1] %}", "1 values cannot be unpacked to 2 names"},
        Refused{"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "the macro \"m\" with 2 arguments"},
        Refused{"{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "with the argument \"b\""},
        Refused{"{{ 'a' | trim(charz='b') }}", "the filter \"trim\" with the argument \"charz\""},
        Refused{"{{ [1] | map('nonsense') | list }}", "the filter \"nonsense\""}));

INSTANTIATE_TEST_SUITE_P(
    Ours, RefusedWhenCarriedOut,
    testing::Values(
        Refused{"{{ strftime_now('%Y') }}", "no date was given to render with"},
        Refused{"{{ messages[0].items is defined }}", "\"items\" of a dictionary, not called"},
        Refused{"{{ 'a'.__class__ }}", "\"__class__\" is not supported"},
        Refused{"{{ 'é' | upper }}", "the cases of \"é\""},
        Refused{"{{ ['\\u0600'] }}", "the character U+0600"},
        Refused{"{{ range(3) }}", "printing a range"},
        Refused{"{{ range }}", "printing a function"},
        Refused{"{{ namespace() }}", "printing a namespace"},
        Refused{"{{ {}.items() }}", "printing a dictionary's items"},
        Refused{"{{ {1: 2} }}", "an integer as a dictionary's key"},
        Refused{"{{ 2 ** -1 }}", "a negative power"}, Refused{"{{ 2.0 ** 2 }}", "powers of floats"},
        Refused{"{{ '1.5' | int }}", "\"1.5\" as an integer"},
        Refused{"{{ 'a' | replace('', 'b') }}", "replacing an empty string"},
        Refused{"{{ '%s' % 1 }}", "a string % an integer"},
        Refused{"{% set x = messages | map(attribute='role') %}{{ x | list }}{{ x | list }}",
                "walked a second time"},
        Refused{"{% set ns = namespace(n=1) %}{% for x in [1, 2] if x == ns.n %}{% set ns.n = 2 %}"
                "{% endfor %}",
                "setting a namespace inside a loop whose condition reads one"}));

INSTANTIATE_TEST_SUITE_P(
    Limits, RefusedWhenCarriedOut,
    testing::Values(
        Refused{"{{ 9223372036854775807 + 1 }}", "too large"},
        Refused{"{{ 999999999999999999 * 10 }}", "the integer is too large"},
        Refused{"{{ 2 ** 63 }}", "the integer is too large"},
        Refused{"{{ 7 ** 999999999999 }}", "the integer is too large"},
        Refused{"{{ 2 ** 62 + 2 ** 62 }}", "the integer is too large"},
        Refused{"{{ (-(2 ** 62) - 2 ** 62) // -1 }}", "the integer is too large"},
        Refused{"{{ 999999999999999999 / 2 }}", "an integer this large beside a float"},
        Refused{"{{ 'x' * 999999999999 }}", "a string grows past"},
        Refused{"{{ [1] * 999999999999 }}", "a list grows too long"},
        Refused{"{{ range(999999999999) }}", "a range of more than 100000"},
        Refused{"{{ 'aa' | replace('a', 'x' * 60000000) }}", "a string grows past"},
        Refused{"{% set ns = namespace(x='x' * 30000000) %}{% for i in range(99) %}"
                "{% set ns.y = ns.x + 'y' %}{% endfor %}",
                "bytes are made"},
        Refused{"{% set ns = namespace(x=[]) %}{% for i in range(99) %}"
                "{% set ns.x = [ns.x] %}{% endfor %}",
                "lists nest too deep"},
        Refused{"{% set ns = namespace(x=[]) %}{% for i in range(50) %}"
                "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
                "more than 1000000 steps"},
        Refused{"{% set ns = namespace(x=[]) %}{% for i in range(50) %}"
                "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x == ns.x + [] }}",
                "more than 1000000 steps"},
        Refused{"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested too deep"},
        Refused{"{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
                "more than 1000000 steps"}));

TEST(ChatTemplate, StopsAtItsStepLimit) {
  std::string source;
  for (int i = 0; i < 9; ++i) source += "{% for a in [1,1,1,1,1,1,1,1,1,1] %}";
  source += "x";
  for (int i = 0; i < 9; ++i) source += "{% endfor %}";
  EXPECT_THAT(failure(source), HasSubstr("more than 1000000 steps"));
}

TEST(ChatTemplate, TellsTheDateItIsGiven) {
  const auto chat = ChatTemplate::from_source("{{ strftime_now('%d %b %Y, %A') }}");
  EXPECT_EQ(chat->render(kHello, true, {.now = RenderTime{2024, 7, 26}}), "26 Jul 2024, Friday");
  EXPECT_EQ(chat->render(kHello, true, {.now = RenderTime{2000, 2, 29}}), "29 Feb 2000, Tuesday");
  EXPECT_THROW(chat->render(kHello, true, {.now = RenderTime{2023, 2, 29}}), Error);
  EXPECT_THROW(chat->render(kHello, true, {.now = RenderTime{2024, 13, 1}}), Error);
  EXPECT_THROW(chat->render(kHello, true, {.now = RenderTime{2024, 0, 1}}), Error);
  EXPECT_THAT(failure("{{ strftime_now(1) }}"), HasSubstr("no date was given"));
  const auto odd = ChatTemplate::from_source("{{ strftime_now('%Q') }}");
  EXPECT_THROW(odd->render(kHello, true, {.now = RenderTime{2024, 7, 26}}), Error);
}

TEST(ChatTemplate, MarksWhatTheAssistantWrites) {
  const auto chat = ChatTemplate::from_source(
      "{% for m in messages %}<{{ m.role }}>"
      "{% if m.role == 'assistant' %}{% generation %}{{ m.content }};{% endgeneration %}"
      "{% else %}{{ m.content }}{% endif %}{% endfor %}");
  const std::vector<Message> talk = {{"user", "hé"}, {"assistant", "yés"}, {"user", "so"}};
  const auto made = chat->render_marked(talk, false);
  EXPECT_EQ(made.text, chat->render(talk, false));
  ASSERT_EQ(made.generated.size(), 1u);
  const auto span = made.generated[0];
  EXPECT_EQ(made.text.substr(span.begin, span.end - span.begin), "yés;");
  EXPECT_TRUE(ChatTemplate::from_source("x")->render_marked(talk, false).generated.empty());
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
