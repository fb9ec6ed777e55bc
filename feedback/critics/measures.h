// What rules measure in a text, and how far a length bound is kept. UTF-8 in; a byte that is not
// UTF-8 counts as one character, so that no text is refused here.
#pragma once

#include <cstdint>
#include <string_view>

namespace hone::feedback {

/// Unicode scalar values.
std::int64_t count_characters(std::string_view text);

/// Runs of anything but white space (ASCII's, and Unicode's no-break, ideographic and general
/// punctuation spaces). A text of a script without spaces is one word a run.
std::int64_t count_words(std::string_view text);

/// Ends of sentences: a run of . ! ? … or their CJK, Arabic and Devanagari forms that is followed
/// by white space, a closing quote or bracket, or the end; CJK marks need nothing after them. Words
/// after the last one are a sentence too. "3.5" and "e.g.this" end nothing; "Dr. Who" ends one.
std::int64_t count_sentences(std::string_view text);

/// 1 while `count` <= `bound`, then falling linearly to 0 at twice the bound, so that two texts
/// that are both too long still differ. A bound of 0 is kept only by 0.
double within_maximum(std::int64_t count, std::int64_t bound);

/// 1 from `bound` on; below it the share of the bound that was reached.
double within_minimum(std::int64_t count, std::int64_t bound);

}  // namespace hone::feedback
