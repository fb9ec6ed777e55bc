// Uploaded JSONL: what each format gives, and what a file is told about its bad lines.
#include "services/shared/import.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace hone::shared {
namespace {

struct Read {
  std::vector<ImportedRow> rows;
  ImportReport report;
};

Read read(std::istream& in, std::optional<ImportFormat> format = std::nullopt) {
  ImportReader reader(in, format);
  Read out;
  while (auto row = reader.next()) out.rows.push_back(std::move(*row));
  out.report = reader.report();
  return out;
}

Read read(const std::string& text, std::optional<ImportFormat> format = std::nullopt) {
  std::istringstream in(text);
  return read(in, format);
}

/// "line pointer" of each refused row.
std::vector<std::string> refusals(const Read& read) {
  std::vector<std::string> out;
  for (const auto& error : read.report.errors) {
    EXPECT_FALSE(error.detail.empty());
    out.push_back(std::to_string(error.line) + " " + error.pointer);
  }
  return out;
}

using Strings = std::vector<std::string>;

TEST(ImportPrompts, MayHaveAnAnswerForVerifiers) {
  const auto got = read(
      "{\"prompt\": \"6 x 7?\", \"answer\": \"#### 42\"}\n{\"prompt\": \"1/2?\", \"answer\": 0.5}\n"
      "{\"prompt\": \"Why?\", \"answer\": null}\n");
  ASSERT_EQ(got.rows.size(), 3u);
  EXPECT_EQ(got.rows[0].answer, "#### 42");
  EXPECT_EQ(got.rows[1].answer, "0.5");
  EXPECT_EQ(got.rows[2].answer, std::nullopt);
  EXPECT_EQ(got.report.warned, 0);
  const auto pair = read(R"({"prompt": "a", "chosen": "b", "rejected": "c", "answer": 7})");
  ASSERT_EQ(pair.rows.size(), 1u);
  EXPECT_EQ(pair.rows[0].answer, "7");
  EXPECT_EQ(refusals(read("{\"prompt\": \"a\", \"answer\": \" \"}\n"
                          "{\"prompt\": \"a\", \"answer\": \"\"}\n"
                          "{\"prompt\": \"a\", \"answer\": [1]}\n"
                          "{\"prompt\": \"a\", \"answer\": \"" +
                          std::string(16 * 1024 + 1, 'x') + "\"}\n")),
            (Strings{"1 /answer", "2 /answer", "3 /answer", "4 /answer"}));
}

TEST(ImportPrompts, TakesTextsAndConversations) {
  const auto got = read(
      "{\"prompt\": \" Why?\\n\", \"id\": \"q1\", \"split\": \"held_out\"}\n"
      "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", "
      "\"content\": \"Hi\"}]}\n"
      "{\"prompt\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"id\": 7}");
  EXPECT_EQ(got.report.refused, 0);
  ASSERT_EQ(got.rows.size(), 3u);
  EXPECT_EQ(got.report.format, ImportFormat::Prompts);
  EXPECT_EQ(got.rows[0].prompt, (Messages{{"user", " Why?\n"}}));  // byte for byte
  EXPECT_EQ(got.rows[0].external_id, "q1");
  EXPECT_EQ(got.rows[0].split, "held_out");
  EXPECT_EQ(got.rows[1].prompt.size(), 2u);
  EXPECT_EQ(got.rows[1].split, std::nullopt);
  EXPECT_EQ(got.rows[2].external_id, "7");
  EXPECT_EQ(got.rows[2].line, 3);
}

TEST(ImportPrompts, AcceptsByteOrderMarkCarriageReturnsAndBlankLines) {
  const auto got = read("\xEF\xBB\xBF{\"prompt\": \"a\"}\r\n\r\n{\"prompt\": \"b\"}\r\n");
  EXPECT_EQ(got.report.rows, 2);
  EXPECT_EQ(got.report.lines, 3);
  EXPECT_EQ(got.report.refused, 0);
}

TEST(ImportPrompts, NamesLineAndPointerOfEachBadRow) {
  const auto got = read(
      "{\"prompt\": \"good\"}\n"
      "{\"prompt\": \"no end\n"
      "{\"prompt\": \"  \"}\n"
      "{\"prompt\": \"x\", \"split\": \"test\"}\n"
      "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}, {\"role\": \"robot\", "
      "\"content\": \"x\"}]}\n"
      "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}, {\"role\": \"assistant\", "
      "\"content\": \"x\"}]}\n"
      "{\"messages\": [{\"role\": \"user\", \"content\": \"x\", \"tool_calls\": []}]}\n"
      "{\"prompt\": \"\xC3\x28\"}\n"
      "{\"prompt\": \"nul \\u0000\"}\n"
      "{\"prompt\": \"lone \\ud800\"}\n"
      "[1]\n"
      "{\"chosen\": \"a\", \"rejected\": \"b\", \"prompt\": \"c\"}\n");
  EXPECT_EQ(got.report.rows, 1);
  EXPECT_EQ(got.report.refused, 11);
  EXPECT_EQ(refusals(got),
            (Strings{"2 /prompt", "3 /prompt", "4 /split", "5 /messages/1/role", "6 /messages",
                     "7 /messages/0/tool_calls", "8 ", "9 /prompt", "10 /prompt", "11 ", "12 "}));
}

TEST(ImportPrompts, RefusesAnIdThatNamesTwoPrompts) {
  const auto got = read(
      "{\"prompt\": \"a\", \"id\": \"1\"}\n{\"prompt\": \"a\", \"id\": \"1\"}\n"
      "{\"prompt\": \"b\", \"id\": \"1\"}\n{\"prompt\": \"b\", \"id\": \"2\"}\n");
  EXPECT_EQ(refusals(got), (Strings{"3 /id"}));
  EXPECT_NE(got.report.errors[0].detail.find("line 1"), std::string::npos);
  EXPECT_EQ(got.report.rows, 3);
}

TEST(ImportPrompts, RefusesALineThatIsTooLongWithoutKeepingIt) {
  const auto got = read("{\"prompt\": \"a\"}\n{\"prompt\": \"" + std::string(5 << 20, 'x') +
                        "\"}\n{\"prompt\": \"b\"}\n");
  EXPECT_EQ(got.report.rows, 2);
  EXPECT_EQ(refusals(got), (Strings{"2 "}));
}

TEST(ImportPrompts, ShowsTheFirstErrorsAndCountsAll) {
  std::string text = "{\"prompt\": \"good\"}\n";
  for (int i = 0; i < 50; ++i) text += "{}\n";
  const auto got = read(text);
  EXPECT_EQ(got.report.refused, 50);
  EXPECT_EQ(got.report.errors.size(), kImportIssuesShown);
}

TEST(Import, RefusesAFileOfNoKnownFormat) {
  const auto got = read("{\"instruction\": \"x\"}\n");
  EXPECT_EQ(got.report.format, std::nullopt);
  ASSERT_EQ(got.report.errors.size(), 1u);
  EXPECT_NE(got.report.errors[0].detail.find("instruction"), std::string::npos);
}

TEST(ImportTrl, TakesTextsByteForByteAndMessageLists) {
  const auto got = read(
      "{\"prompt\": \"2+2 =\", \"chosen\": \" 4\", \"rejected\": \" 5\"}\n"
      "{\"prompt\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"chosen\": [{\"role\": "
      "\"assistant\", \"content\": \"A\"}],"
      " \"rejected\": [{\"role\": \"assistant\", \"content\": \"B\"}], \"margin\": 2}\n");
  EXPECT_EQ(got.report.format, ImportFormat::Trl);
  ASSERT_EQ(got.rows.size(), 2u);
  EXPECT_EQ(got.rows[0].responses,
            (std::vector<Messages>{{{"assistant", " 4"}}, {{"assistant", " 5"}}}));
  EXPECT_EQ(got.rows[1].responses[1], (Messages{{"assistant", "B"}}));
  ASSERT_EQ(got.report.warnings.size(), 1u);  // a margin would be lost: said once
  EXPECT_EQ(got.report.warnings[0].pointer, "/margin");
}

TEST(ImportTrl, FindsThePromptOfWholeConversations) {
  const auto got = read(
      "{\"chosen\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", "
      "\"content\": \"A\"}],"
      " \"rejected\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", "
      "\"content\": \"B\"}]}\n");
  ASSERT_EQ(got.rows.size(), 1u);
  EXPECT_EQ(got.rows[0].prompt, (Messages{{"user", "Hi"}}));
  EXPECT_EQ(got.rows[0].responses[0], (Messages{{"assistant", "A"}}));
}

TEST(ImportTrl, RefusesPairsThatTeachNothingOrCannotBeCut) {
  const auto got = read(
      "{\"prompt\": \"p\", \"chosen\": \"same\", \"rejected\": \"same\"}\n"
      "{\"prompt\": \"p\", \"chosen\": [{\"role\": \"assistant\", \"content\": \"A\"}], "
      "\"rejected\": \"B\"}\n"
      "{\"chosen\": \"Hi there\", \"rejected\": \"Hi you\"}\n"
      "{\"prompt\": [{\"role\": \"user\", \"content\": \"x\"}], \"chosen\": [{\"role\": \"user\", "
      "\"content\": \"A\"}],"
      " \"rejected\": [{\"role\": \"assistant\", \"content\": \"B\"}]}\n"
      "{\"prompt\": \"p\", \"chosen\": \"a\"}\n",
      ImportFormat::Trl);
  EXPECT_EQ(refusals(got), (Strings{"1 ", "2 ", "3 /prompt", "4 /chosen", "5 /rejected"}));
}

TEST(ImportHh, CutsWhereTheTurnsPart) {
  const auto got = read(
      R"({"chosen": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: Because.\n\nOf this.", "rejected": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: No."})"
      "\n"
      R"({"chosen": "\n\nHuman: Hi\n\nAssistant: ", "rejected": "\n\nHuman: Hi\n\nAssistant: Hello"})"
      "\n"
      R"({"chosen": "\n\nHuman: Hi\n\nAssistant: a\n\nAssistant: b", "rejected": "\n\nHuman: Hi\n\nAssistant: c"})"
      "\n"
      R"({"chosen": "\n\nHuman: One\n\nAssistant: a", "rejected": "\n\nHuman: Two\n\nAssistant: b"})"
      "\n"
      R"({"chosen": "Just text", "rejected": "\n\nHuman: Two\n\nAssistant: b"})"
      "\n");
  EXPECT_EQ(got.report.format, ImportFormat::Hh);
  ASSERT_EQ(got.rows.size(), 2u);
  EXPECT_EQ(got.rows[0].prompt,
            (Messages{{"user", "Hi"}, {"assistant", "Hello"}, {"user", "Why?"}}));
  EXPECT_EQ(got.rows[0].responses[0], (Messages{{"assistant", "Because.\n\nOf this."}}));
  EXPECT_EQ(got.rows[1].responses[0].size(), 2u);
  EXPECT_EQ(got.report.warned, 1);
  EXPECT_EQ(refusals(got), (Strings{"2 /chosen", "4 /chosen", "5 /chosen"}));
}

std::filesystem::path shared_data() {
  const char* named = std::getenv("HONE_SHARED_DATA");
  return named ? std::filesystem::path(named)
               : std::filesystem::path(HONE_SOURCE_DIR) / ".." / "shared" / "data";
}

// Counted on the file by hand and by an independent script: what cutting at the last
// "Assistant:" gets wrong are the three lines that are warned about.
TEST(ImportHh, ReadsTheRealFileToItsCheckedFigures) {
  const auto path = shared_data() / "hh-harmless-1500.jsonl";
  std::ifstream in(path, std::ios::binary);
  if (!in)
    GTEST_SKIP() << "no " << path << ": name the folder of the real data in HONE_SHARED_DATA";

  const auto got = read(in);
  EXPECT_EQ(got.report.lines, 1500);
  EXPECT_EQ(got.report.rows, 1497);
  EXPECT_EQ(refusals(got), (Strings{"61 /chosen", "332 /chosen", "714 /chosen"}));
  std::vector<std::int64_t> warned;
  for (const auto& warning : got.report.warnings) warned.push_back(warning.line);
  EXPECT_EQ(warned, (std::vector<std::int64_t>{806, 1263, 1324}));

  std::set<std::string> prompts, responses;
  for (const auto& row : got.rows) {
    const auto prompt = to_json(row.prompt).dump();
    prompts.insert(prompt);
    for (const auto& response : row.responses) responses.insert(prompt + to_json(response).dump());
    if (row.line == 427 || row.line == 495) {
      EXPECT_EQ(row.prompt.back().role, "user");
    }
  }
  EXPECT_EQ(prompts.size(), 1496u);
  EXPECT_EQ(responses.size(), 2994u);
}

// A report becomes JSON, which holds nothing but UTF-8: the quoted byte is half a character, the
// long names are cut in the middle of one.
TEST(Import, SaysInUtf8WhatIsWrongWithARow) {
  std::string name;
  for (int i = 0; i < 200; ++i) name += "\u00e9";
  for (const auto& row : {std::string("\u00e9"), "{\"a" + name + "\": 1}",
                          "{\"a" + name + "\": {\"a" + name + "\": [], \"b\": }}",
                          "{\"prompt\": \"x\", \"a" + name + "\": 1}"}) {
    const auto got = read(row + "\n");
    EXPECT_EQ(got.report.errors.size() + got.report.warnings.size(), 1u) << row;
    for (const auto* issues : {&got.report.errors, &got.report.warnings})
      for (const auto& issue : *issues)
        EXPECT_NO_THROW((void)nlohmann::json({issue.detail, issue.pointer}).dump()) << row;
  }
}

}  // namespace
}  // namespace hone::shared
