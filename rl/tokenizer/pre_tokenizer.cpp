#include "rl/tokenizer/pre_tokenizer.h"

#include <utility>

#include "feedback/base/error.h"
#include "rl/tokenizer/normalizer.h"
#include "rl/tokenizer/unicode.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl {
namespace {

using Kind = PreTokenizerStep::Kind;
using Prepend = PreTokenizerStep::Prepend;

struct Piece {
  std::string text;
  bool at_start;
};

void add(std::vector<Piece>& pieces, const Piece& from, std::size_t begin, std::size_t end) {
  if (end > begin)
    pieces.push_back({from.text.substr(begin, end - begin), from.at_start && begin == 0});
}

void split_digits(const PreTokenizerStep& step, const Piece& piece, std::vector<Piece>& out) {
  std::size_t begin = 0;
  bool in_digits = false;
  for (std::size_t at = 0; at < piece.text.size();) {
    const auto [value, size] = code_point_at(piece.text, at);
    const bool digit = unicode_class(value) & kNumeric;
    if (at > begin && (digit != in_digits || (digit && step.individual))) {
      add(out, piece, begin, at);
      begin = at;
    }
    in_digits = digit;
    at += size;
  }
  add(out, piece, begin, piece.text.size());
}

std::vector<Span> literal_matches(std::string_view text, std::string_view pattern) {
  std::vector<Span> spans;
  for (std::size_t at = 0; (at = text.find(pattern, at)) != std::string_view::npos;
       at += pattern.size())
    spans.push_back({at, at + pattern.size()});
  return spans;
}

// Matches and what lies between them; isolated keeps both, removed keeps what is not a match (the
// matches, when inverted).
void split_pattern(const PreTokenizerStep& step, const std::vector<Span>& matches,
                   const Piece& piece, std::vector<Piece>& out) {
  const bool isolated = step.behaviour == PreTokenizerStep::Behaviour::Isolated;
  const bool keep_matches = isolated || step.invert;
  const bool keep_rest = isolated || !step.invert;
  std::size_t at = 0;
  for (const auto& match : matches) {
    if (keep_rest) add(out, piece, at, match.begin);
    if (keep_matches) add(out, piece, match.begin, match.end);
    at = match.end;
  }
  if (keep_rest) add(out, piece, at, piece.text.size());
}

void split_metaspace(const PreTokenizerStep& step, const Piece& piece, std::size_t limit,
                     std::vector<Piece>& out) {
  Piece made{replace_all(piece.text, " ", step.replacement, limit), piece.at_start};
  const bool wanted =
      step.prepend == Prepend::Always || (step.prepend == Prepend::First && piece.at_start);
  if (wanted && !made.text.starts_with(step.replacement)) made.text.insert(0, step.replacement);
  if (!step.split) {
    add(out, made, 0, made.text.size());
    return;
  }
  // Each replacement begins a piece and takes what follows it.
  std::size_t begin = 0;
  for (std::size_t at = 1; at < made.text.size();) {
    at = made.text.find(step.replacement, at);
    if (at == std::string::npos) break;
    add(out, made, begin, at);
    begin = at++;
  }
  add(out, made, begin, made.text.size());
}

void split_byte_level(const PreTokenizerStep& step, Piece piece, std::vector<Piece>& out) {
  if (step.add_prefix_space && !piece.text.starts_with(' ')) piece.text.insert(0, " ");
  if (!step.use_regex) {
    add(out, piece, 0, piece.text.size());
    return;
  }
  std::vector<Span> spans;
  split_gpt2(piece.text, spans);
  for (const auto& span : spans) add(out, piece, span.begin, span.end);
}

}  // namespace

PreTokenizer::PreTokenizer(const std::vector<PreTokenizerStep>& steps) {
  for (const auto& step : steps) {
    if (byte_level_)
      throw Error(Code::Invalid,
                  "tokenizer.json: pre_tokenizer: a step after ByteLevel is not supported",
                  "pre_tokenizer");
    byte_level_ = step.kind == Kind::ByteLevel;
    auto& made = steps_.emplace_back(Step{step, {}});
    if (step.kind == Kind::Split && !step.literal && step.pattern != kGpt2Pattern)
      made.pattern.emplace_back(step.pattern);
  }
}

std::vector<std::string> PreTokenizer::cut(std::string text, bool at_start) const {
  const auto limit = grown_max(text.size());
  std::vector<Piece> pieces;
  pieces.push_back({std::move(text), at_start});
  for (const auto& step : steps_) {
    std::vector<Piece> out;
    std::size_t size = 0;  // of all pieces in `out`
    for (auto& piece : pieces) {
      const auto made = out.size();
      switch (step.spec.kind) {
        case Kind::Digits:
          split_digits(step.spec, piece, out);
          break;
        case Kind::Metaspace:
          split_metaspace(step.spec, piece, limit, out);
          break;
        case Kind::ByteLevel:
          split_byte_level(step.spec, std::move(piece), out);
          break;
        case Kind::Split: {
          std::vector<Span> matches;
          if (step.spec.literal)
            matches = literal_matches(piece.text, step.spec.pattern);
          else if (step.pattern.empty())
            split_gpt2(piece.text, matches);
          else
            matches = step.pattern.front().matches(piece.text);
          split_pattern(step.spec, matches, piece, out);
          break;
        }
      }
      for (auto i = made; i < out.size(); ++i) size += out[i].text.size();
      check_grown(size, limit);
    }
    pieces = std::move(out);
  }
  std::vector<std::string> texts;
  texts.reserve(pieces.size());
  for (auto& piece : pieces)
    if (!piece.text.empty()) texts.push_back(std::move(piece.text));
  return texts;
}

}  // namespace hone::rl
