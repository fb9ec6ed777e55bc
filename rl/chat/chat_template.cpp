#include "rl/chat/chat_template.h"

#include <fmt/format.h>

#include "feedback/base/error.h"
#include "rl/chat/render.h"
#include "rl/chat/syntax.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl {
namespace {
constexpr std::size_t kSourceMax = 1'000'000;
}

struct ChatTemplate::Program {
  std::vector<chat::Statement> statements;
  std::map<std::string, std::string> variables;
};

ChatTemplate::ChatTemplate() = default;
ChatTemplate::~ChatTemplate() = default;

std::shared_ptr<const ChatTemplate> ChatTemplate::from_source(
    std::string_view jinja, std::map<std::string, std::string> variables) {
  if (jinja.size() > kSourceMax)
    throw Error(Code::Invalid, fmt::format("chat template: longer than {} bytes", kSourceMax),
                "chat_template");
  if (!valid_utf8(jinja)) throw Error(Code::Invalid, "chat template: not UTF-8", "chat_template");
  const std::shared_ptr<ChatTemplate> made(new ChatTemplate);
  made->source_ = jinja;
  made->program_ = std::make_unique<const Program>(
      Program{chat::parse(chat::tokenize(jinja)), std::move(variables)});
  return made;
}

std::string ChatTemplate::render(const std::vector<Message>& messages,
                                 bool add_generation_prompt) const {
  using chat::Value;
  auto list = std::make_shared<std::vector<Value>>();
  for (const auto& message : messages) {
    if (!valid_utf8(message.role) || !valid_utf8(message.content))
      throw Error(Code::Invalid, "a message is not UTF-8", "messages");
    list->push_back({std::make_shared<const std::map<std::string, Value>>(
        std::map<std::string, Value>{{"role", {message.role}}, {"content", {message.content}}})});
  }
  std::map<std::string, Value> names;
  for (const auto& [name, text] : program_->variables) names[name] = {text};
  names["messages"] = {chat::List(std::move(list))};
  names["add_generation_prompt"] = {add_generation_prompt};
  // Defined and empty wherever templates are rendered, so that `tools is defined` says what it says
  // there.
  names["tools"] = {chat::None{}};
  names["documents"] = {chat::None{}};
  return chat::render(program_->statements, std::move(names));
}

}  // namespace hone::rl
