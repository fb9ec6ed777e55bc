// tokenizer.json, and behind a byte 0xFF the text that it is tried on.
#include "rl/tokenizer/tokenizer.h"

#include <algorithm>
#include <cstdint>
#include <memory>

#include "rl/tokenizer/spec.h"
#include "rl/tokenizer/utf8.h"
#include "tests/fuzz/targets.h"

namespace hone::fuzz {
namespace {

// Ids go up to four million and a token for each is made: legal, and slow to do a million times.
constexpr std::int64_t kIdMax = 1 << 12;

bool small(const rl::TokenizerSpec& spec) {
  return static_cast<std::int64_t>(spec.bpe.tokens.size()) <= kIdMax &&
         std::ranges::all_of(spec.added, [](const auto& token) { return token.id <= kIdMax; });
}

void try_on(const rl::Tokenizer& tokenizer, const rl::Tokenizer& again, const std::string& text) {
  const auto ids = tokenizer.encode(text, true);
  promise(again.encode(text, true) == ids, "tokenizer.json that was written gives the same ids");
  for (const auto id : ids) promise(id >= 0 && id < tokenizer.size(), "ids lie below the size");
  for (const bool skip : {false, true}) {
    const auto decoded = tokenizer.decode(ids, skip);
    promise(rl::valid_utf8(decoded), "decoded text is UTF-8");
    promise(again.decode(ids, skip) == decoded, "tokenizer.json that was written decodes the same");
    rl::Tokenizer::Stream stream(tokenizer, skip);
    std::string streamed;
    // Each token decodes those before it again under some decoders: a few show as much as all.
    for (std::size_t i = 0; i < std::min<std::size_t>(ids.size(), 64); ++i)
      streamed += stream.push(ids[i]);
    streamed += stream.finish();
    promise(rl::valid_utf8(streamed), "streamed text is UTF-8");
  }
}

}  // namespace

void tokenizer(std::string_view bytes) {
  const auto json = halves(bytes).first;
  const auto rest = halves(bytes).second;
  accepts([&] {
    auto spec = rl::read_tokenizer_json(json);
    if (!small(spec)) return;
    const rl::Tokenizer tokenizer(std::move(spec));
    const auto written = tokenizer.to_json();
    std::shared_ptr<const rl::Tokenizer> again;
    promise(accepts([&] { again = rl::Tokenizer::from_json(written); }),
            "tokenizer.json that was written is read");
    promise(again->to_json() == written, "tokenizer.json is written the same again");
    accepts([&] { tokenizer.encode(rest, false); });
    for (const auto& text : {rl::lossy_utf8(rest), std::string("It's 12 <s> na\u00efve\n\n x")})
      accepts([&] { try_on(tokenizer, *again, text); });
  });
}

}  // namespace hone::fuzz
