// The pure half of rule critics: measures of a text, graded bounds, scores to verdicts.
#include <gtest/gtest.h>

#include "feedback/critics/measures.h"
#include "feedback/critics/verdict.h"

namespace hone::feedback {
namespace {

TEST(Measures, CountCharactersNotBytes) {
  EXPECT_EQ(count_characters(""), 0);
  EXPECT_EQ(count_characters("na\u00efve"), 5);
  EXPECT_EQ(count_characters("\U0001F600\u4f60"), 2);
  EXPECT_EQ(count_characters("a\xFF\xC3z"), 4);  // a malformed byte is one character
}

TEST(Measures, CountWordsByUnicodeSpaces) {
  EXPECT_EQ(count_words(""), 0);
  EXPECT_EQ(count_words("  one  two\n\nthree\t"), 3);
  EXPECT_EQ(count_words("un\u00a0deux\u3000trois"), 3);
}

TEST(Measures, CountSentencesByTheirEnds) {
  EXPECT_EQ(count_sentences(""), 0);
  EXPECT_EQ(count_sentences("No mark at the end"), 1);
  EXPECT_EQ(count_sentences("One. Two! Three?"), 3);
  EXPECT_EQ(count_sentences("It costs 3.50 today. Really?!"), 2);
  EXPECT_EQ(count_sentences("He said \"stop.\" Then he left."), 2);
  EXPECT_EQ(count_sentences("Wait... what"), 2);
  EXPECT_EQ(count_sentences("\u4f60\u597d\u3002\u518d\u89c1\u3002"), 2);
  EXPECT_EQ(count_sentences("... !"), 0);  // marks alone are no sentence
}

// 90 words against 60: 1 - 30/60 = 0.5; 120 = twice the bound: 0.
TEST(Bounds, MaximumFallsLinearlyToZeroAtTwiceTheBound) {
  EXPECT_EQ(within_maximum(60, 60), 1);
  EXPECT_EQ(within_maximum(90, 60), 0.5);
  EXPECT_EQ(within_maximum(120, 60), 0);
  EXPECT_EQ(within_maximum(500, 60), 0);
}

TEST(Bounds, MinimumGivesTheShareReached) {
  EXPECT_EQ(within_minimum(10, 10), 1);
  EXPECT_EQ(within_minimum(4, 10), 0.4);
  EXPECT_EQ(within_minimum(0, 10), 0);
}

TEST(VerdictOfScores, PrefersByGap) {
  EXPECT_EQ(verdict_of_scores(1.0, 0.5, 0.001).strength, 3);
  EXPECT_EQ(verdict_of_scores(0.5, 1.0, 0.001).strength, -3);
  EXPECT_EQ(verdict_of_scores(0.9, 0.7, 0.001).strength, 2);  // 0.9 - 0.7 is 0.19999... in binary
  EXPECT_EQ(verdict_of_scores(0.6, 0.5, 0.001).strength, 1);
  EXPECT_EQ(verdict_of_scores(0.6, 0.5, 0.001).choice, CriticChoice::Prefer);
}

TEST(VerdictOfScores, TiesBelowDelta) {
  const auto verdict = verdict_of_scores(0.60, 0.64, 0.05);
  EXPECT_EQ(verdict.choice, CriticChoice::Tie);
  EXPECT_EQ(verdict.strength, 0);
  EXPECT_EQ(verdict_of_scores(0.60, 0.65, 0.05).choice, CriticChoice::Prefer);
}

TEST(VerdictOfScores, CallsTwoZeroesBothBadNotATie) {
  EXPECT_EQ(verdict_of_scores(0, 0, 0.001).choice, CriticChoice::BothBad);
  EXPECT_EQ(verdict_of_scores(1, 1, 0.001).choice, CriticChoice::Tie);
}

}  // namespace
}  // namespace hone::feedback
