#include "feedback/labelling/answer.h"

#include <array>
#include <utility>

#include "feedback/base/error.h"

namespace hone::feedback {
namespace {

constexpr std::array<std::pair<Verdict, std::string_view>, 5> kVerdicts{{
    {Verdict::Prefer, "prefer"},
    {Verdict::Tie, "tie"},
    {Verdict::BothBad, "both_bad"},
    {Verdict::Skip, "skip"},
    {Verdict::Retracted, "retracted"},
}};

constexpr std::array<std::pair<SkipReason, std::string_view>, 6> kSkipReasons{{
    {SkipReason::CannotJudge, "cannot_judge"},
    {SkipReason::Unclear, "unclear"},
    {SkipReason::Offensive, "offensive"},
    {SkipReason::WrongLanguage, "wrong_language"},
    {SkipReason::TooLong, "too_long"},
    {SkipReason::Other, "other"},
}};

template <class Table, class Value>
std::string_view name_in(const Table& table, Value value) {
  for (const auto& [known, name] : table)
    if (known == value) return name;
  return {};
}

template <class Value, std::size_t N>
std::optional<Value> value_in(const std::array<std::pair<Value, std::string_view>, N>& table,
                              std::string_view text) {
  for (const auto& [value, name] : table)
    if (name == text) return value;
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Verdict verdict) { return name_in(kVerdicts, verdict); }
std::optional<Verdict> parse_verdict(std::string_view text) { return value_in(kVerdicts, text); }
std::string_view to_string(SkipReason reason) { return name_in(kSkipReasons, reason); }
std::optional<SkipReason> parse_skip_reason(std::string_view text) {
  return value_in(kSkipReasons, text);
}

Answer check_answer(Answer given) {
  const auto refuse = [](const char* detail, const char* pointer) -> Error {
    return Error(Code::Invalid, detail, pointer);
  };
  if (given.verdict == Verdict::Retracted)
    throw refuse("a verdict is taken back by retracting its judgment", "/verdict");

  if (given.verdict == Verdict::Prefer) {
    if (!given.strength || *given.strength == 0 || *given.strength < -3 || *given.strength > 3)
      throw refuse("prefer needs a strength of 1 to 3 or -1 to -3", "/strength");
  } else if (given.verdict == Verdict::Tie) {
    if (given.strength.value_or(0) != 0) throw refuse("a tie has strength 0", "/strength");
    given.strength = 0;
  } else if (given.strength) {
    throw refuse("only prefer and tie have a strength", "/strength");
  }

  if ((given.verdict == Verdict::Skip) != given.skip_reason.has_value())
    throw refuse("a skip, and only a skip, gives a reason", "/skip_reason");
  return given;
}

int turn(int strength, Left left) { return left == Left::Slot0 ? strength : -strength; }

}  // namespace hone::feedback
