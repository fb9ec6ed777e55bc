#include "rl/formats/reward_base.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "rl/chat/chat_template.h"
#include "rl/tokenizer/tokenizer.h"

namespace hone::rl {
namespace {

/// Ids that texts hold: what begins and ends them, and what the chat template writes.
std::set<std::int64_t> used_ids(const Base& base) {
  std::set<std::int64_t> used(base.config.eos_token_ids.begin(), base.config.eos_token_ids.end());
  if (base.config.bos_token_id) used.insert(*base.config.bos_token_id);
  if (base.chat) {
    const auto text = base.chat->render({{"user", "a"}, {"assistant", "b"}, {"user", "c"}}, true,
                                        {.now = RenderTime{2024, 7, 26}});
    for (const auto id : base.tokenizer->encode(text, false)) used.insert(id);
  }
  return used;
}

std::optional<std::int64_t> spare_token(const Base& base) {
  const auto used = used_ids(base);
  const auto& own = base.config.pad_token_id;
  if (own && !used.contains(*own) && base.tokenizer->is_special(*own)) return *own;
  for (std::int64_t id = base.tokenizer->size() - 1; id >= 0; --id)
    if (base.tokenizer->is_special(id) && !used.contains(id) && !base.tokenizer->token(id).empty())
      return id;
  return std::nullopt;
}

/// `pad_token` of a settings file; whatever else stands there stays.
std::string with_pad(const std::string& bytes, const std::optional<std::string>& token) {
  auto json = nlohmann::ordered_json::parse(bytes);
  if (token)
    json["pad_token"] = *token;
  else
    json.erase("pad_token");
  return json.dump(2) + "\n";
}

}  // namespace

Base reward_base(const Base& base) {
  Base out;
  out.config = base.config;
  out.config_json = base.config_json;
  out.tokenizer = base.tokenizer;
  out.chat = base.chat;
  out.chat_problem = base.chat_problem;
  out.chat_source = base.chat_source;
  out.named_tokens = base.named_tokens;
  out.sha256 = base.sha256;
  out.description = base.description;
  out.name = base.name;
  out.license = base.license;
  out.quantised = base.quantised;
  out.side_files = base.side_files;

  out.config.output = Output::Score;
  out.config.pad_token_id = spare_token(base);
  std::optional<std::string> token;
  if (const auto id = out.config.pad_token_id) token = base.tokenizer->token(*id);
  out.named_tokens.erase("pad_token");
  if (token) out.named_tokens["pad_token"] = *token;
  std::erase_if(out.side_files, [](const auto& f) { return f.name == "generation_config.json"; });
  for (auto& file : out.side_files)
    if (file.name == "tokenizer_config.json" || file.name == "special_tokens_map.json") {
      file.bytes = with_pad(file.bytes, token);
      file.generated = true;
    }
  return out;
}

}  // namespace hone::rl
