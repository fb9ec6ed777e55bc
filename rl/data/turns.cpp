#include "rl/data/turns.h"

#include <algorithm>
#include <string_view>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(Code::Invalid, what, "messages"); }

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

struct Span {
  std::size_t begin, end;
};

/// Where `text` holds the content of message `at`: found by writing another content in its place.
Span content_span(const TextRules& rules, std::vector<Message> messages, std::size_t at,
                  const std::string& text) {
  const auto rewritten = [&]() {
    refuse("cannot be told apart from what the template adds: it writes answer " +
           std::to_string(at) +
           " otherwise than it is given, and marks no answers with {% generation %}");
  };
  const std::string content = messages[at].content;
  std::string stand_in = "AnswerStandsHere";
  while (text.find(stand_in) != std::string::npos) stand_in += "X";
  messages[at].content = stand_in;
  const auto other = rules.chat->render(messages, false, rules.render_options);
  const auto begin = other.find(stand_in);
  if (begin == std::string::npos) rewritten();
  const std::string_view before(other.data(), begin),
      after = std::string_view(other).substr(begin + stand_in.size());
  const std::string_view whole(text);
  if (whole.size() < before.size() + after.size() || !whole.starts_with(before) ||
      !whole.ends_with(after))
    rewritten();
  const Span span{begin, whole.size() - after.size()};
  const auto found = whole.substr(span.begin, span.end - span.begin);
  if (found.empty() || (found != content && found != trimmed(content))) rewritten();

  messages.resize(at);
  if (!messages.empty() &&
      !before.starts_with(rules.chat->render(messages, true, rules.render_options)))
    refuse("does not begin with the template's own prompt for answer " + std::to_string(at) +
           ": it writes the messages before an answer otherwise when they are a prompt, so what "
           "were learnt is not what is sampled. Give \"prompt\" and \"completion\", one row an "
           "answer");
  return span;
}

std::vector<Span> answer_spans(const TextRules& rules, const std::vector<Message>& messages,
                               const Rendered& rendered) {
  std::vector<Span> spans;
  for (const auto& span : rendered.generated)
    if (span.begin < span.end) spans.push_back({span.begin, span.end});
  if (!spans.empty()) return spans;
  for (std::size_t at = 0; at < messages.size(); ++at)
    if (messages[at].role == "assistant")
      spans.push_back(content_span(rules, messages, at, rendered.text));
  return spans;
}

bool ends(const TextRules& rules, std::int64_t id) {
  return std::find(rules.end_ids.begin(), rules.end_ids.end(), id) != rules.end_ids.end();
}

}  // namespace

std::vector<Piece> pieces_of(const TextRules& rules, const std::vector<Message>& messages) {
  if (!rules.chat)
    refuse("need a chat template, and this base's cannot be used: " +
           (rules.chat_problem.empty() ? std::string("it has none") : rules.chat_problem));
  bool answered = false;
  for (const auto& message : messages) {
    if (message.role != "assistant") continue;
    answered = true;
    if (trimmed(message.content).empty())
      refuse("holds an empty answer: there is nothing to learn from");
  }
  if (!answered) refuse("holds no answer of the assistant");

  const auto rendered = rules.chat->render_marked(messages, false, rules.render_options);
  std::vector<Piece> out;
  std::size_t from = 0;
  for (const auto& span : answer_spans(rules, messages, rendered)) {
    if (span.begin > from) out.push_back({rendered.text.substr(from, span.begin - from), false});
    out.push_back({rendered.text.substr(span.begin, span.end - span.begin), true});
    from = span.end;
  }
  if (from < rendered.text.size()) out.push_back({rendered.text.substr(from), false});
  return out;
}

MarkedIds marked_ids(const TextRules& rules, const std::vector<Message>& messages) {
  if (rules.end_ids.empty())
    throw Error(Code::Invalid, "this base names no end token, so an answer cannot be ended",
                "eos_token_id");
  MarkedIds out;
  std::string text;
  // Of the answer at hand: it is being written; its end token has come; neither, elsewhere.
  enum class State { Outside, Open, Ended } state = State::Outside;
  std::size_t last = 0;  // behind the last token that is learnt
  for (const auto& piece : pieces_of(rules, messages)) {
    text += piece.text;
    const auto ids = rules.tokenizer->encode(piece.text, false);
    if (piece.answer) state = State::Open;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool end = ends(rules, ids[i]), follows = piece.answer || i == 0;
      if (state == State::Ended && follows &&
          (end || (piece.answer && !trimmed(rules.tokenizer->decode({&ids[i], 1}, false)).empty())))
        refuse("holds an answer with an end token inside: nothing after it would ever be sampled");
      const bool learnt = state == State::Open && (piece.answer || (i == 0 && end));
      out.ids.push_back(ids[i]);
      out.mask.push_back(learnt);
      if (learnt) last = out.ids.size();
      if (piece.answer && end)
        state = State::Ended;
      else if (!piece.answer)
        state = State::Outside;
    }
  }
  out.merged = rules.tokenizer->encode(text, false) != out.ids;
  out.ids.resize(last);
  out.mask.resize(last);
  if (last > 0 && !ends(rules, out.ids.back())) {
    out.ids.push_back(rules.end_ids.front());
    out.mask.push_back(1);
  }
  return out;
}

}  // namespace hone::rl
