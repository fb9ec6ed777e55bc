#include "rl/tokenizer/normalizer.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "feedback/base/error.h"

namespace hone::rl {
namespace {

std::string nfc(const std::string& text) {
  // ASCII is its own normal form, and most text is ASCII.
  bool ascii = true;
  for (const char c : text) ascii = ascii && static_cast<unsigned char>(c) < 0x80;
  if (ascii) return text;
  utf8proc_uint8_t* made = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &made,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(made, std::free);
  if (size < 0)
    throw Error(Code::Invalid,
                std::string("the text cannot be normalised: ") + utf8proc_errmsg(size));
  return {reinterpret_cast<const char*>(made), static_cast<std::size_t>(size)};
}

}  // namespace

void check_grown(std::size_t size, std::size_t limit) {
  if (size > limit)
    throw Error(Code::Invalid, "the tokenizer makes the text many times longer than it is");
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to,
                        std::size_t limit) {
  std::string result;
  result.reserve(text.size());
  std::size_t at = 0;
  while (true) {
    const auto found = text.find(from, at);
    if (found == std::string_view::npos) return result.append(text.substr(at));
    result.append(text.substr(at, found - at)).append(to);
    check_grown(result.size(), limit);
    at = found + from.size();
  }
}

std::string normalize(const std::vector<NormalizerStep>& steps, std::string_view text) {
  std::string result(text);
  const auto limit = grown_max(text.size());
  for (const auto& step : steps) {
    switch (step.kind) {
      case NormalizerStep::Kind::Nfc:
        result = nfc(result);
        break;
      case NormalizerStep::Kind::Prepend:
        if (!result.empty()) result.insert(0, step.to);
        break;
      case NormalizerStep::Kind::Replace:
        result = replace_all(result, step.from, step.to, limit);
        break;
    }
    check_grown(result.size(), limit);
  }
  return result;
}

}  // namespace hone::rl
