// A rule critic's spec, and behind a byte 0xFF the answer that it judges.
#include "services/shared/rule_critic.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "tests/fuzz/targets.h"

namespace hone::fuzz {

void rule_critic(std::string_view bytes) {
  const auto spec = halves(bytes).first;
  const auto answer = halves(bytes).second;
  accepts([&] {
    const auto critic = shared::RuleCritic::parse_text(spec);
    std::optional<shared::RuleCritic> made;
    promise(accepts([&] { made = shared::RuleCritic::parse_text(critic.canonical()); }),
            "the canonical spec is read");
    const auto& again = *made;
    promise(again.canonical() == critic.canonical(), "the canonical spec is its own");
    for (const auto text : {answer, std::string_view("Yes. It is {\"a\": 1}, na\xC3\xAFve \xC3!")})
      accepts([&] {
        const double score = critic.score(text);
        promise(score >= 0 && score <= 1, "a score lies between 0 and 1");
        promise(again.score(text) == score, "the canonical spec scores the same");
        promise(critic.compare("", text, text).strength == 0, "an answer ties with itself");
      });
  });
}

}  // namespace hone::fuzz
