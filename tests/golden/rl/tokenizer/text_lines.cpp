// text_lines FOLDER: answers JSON lines with what the tokenizer.json and the chat template of a
// folder make of them; for check_families.py. FOLDER may also be a GGUF file.
//   {"text"} -> {"ids", "whole", "decoded", "bare", "streamed"}
//   {"messages", "add_generation_prompt"} -> {"rendered"} or {"refused"}
#include <iostream>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/chat/chat_template.h"
#include "rl/formats/files.h"
#include "rl/formats/gguf.h"
#include "rl/tokenizer/tokenizer.h"

namespace {

using namespace hone::rl;
using Json = nlohmann::json;

constexpr std::uint64_t kMax = 100'000'000;

struct Folder {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatTemplate> chat;
};

std::string token_text(const Json& token) {
  return token.is_object() ? token.at("content").get<std::string>() : token.get<std::string>();
}

Folder open(const std::filesystem::path& path) {
  if (path.extension() == ".gguf") return {Tokenizer::from_gguf(GgufFile(path)), nullptr};
  Folder folder{Tokenizer::from_json(read_file(path / "tokenizer.json", kMax)), nullptr};
  if (!std::filesystem::exists(path / "tokenizer_config.json")) return folder;
  const auto settings = Json::parse(read_file(path / "tokenizer_config.json", kMax));
  std::map<std::string, std::string> variables;
  for (const char* name : {"bos_token", "eos_token", "unk_token", "pad_token"})
    if (settings.contains(name) && !settings[name].is_null())
      variables[name] = token_text(settings[name]);
  if (settings.contains("chat_template"))
    folder.chat =
        ChatTemplate::from_source(settings["chat_template"].get<std::string>(), variables);
  return folder;
}

Json answer_text(const Tokenizer& tokenizer, const std::string& text) {
  const auto ids = tokenizer.encode(text, false);
  const auto whole = tokenizer.encode(text, true);
  Tokenizer::Stream stream(tokenizer, false);
  std::string streamed;
  for (const auto id : ids) streamed += stream.push(id);
  streamed += stream.finish();
  return {{"ids", ids},
          {"whole", whole},
          {"decoded", tokenizer.decode(ids, false)},
          {"bare", tokenizer.decode(whole, true)},
          {"streamed", streamed}};
}

Json answer_messages(const ChatTemplate& chat, const Json& line) {
  std::vector<Message> messages;
  for (const auto& message : line.at("messages"))
    messages.push_back({message.at("role"), message.at("content")});
  try {
    return {{"rendered", chat.render(messages, line.at("add_generation_prompt").get<bool>())}};
  } catch (const hone::Error& error) {
    return {{"refused", error.detail()}};
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: text_lines FOLDER\n", 64;
  try {
    const auto folder = open(argv[1]);
    for (std::string text; std::getline(std::cin, text);) {
      const auto line = Json::parse(text);
      const auto answer = line.contains("text")
                              ? answer_text(*folder.tokenizer, line["text"].get<std::string>())
                              : answer_messages(*folder.chat, line);
      std::cout << answer.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    }
  } catch (const std::exception& error) {
    return std::cerr << error.what() << '\n', 1;
  }
}
