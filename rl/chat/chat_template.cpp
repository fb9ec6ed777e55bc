#include "rl/chat/chat_template.h"

#include <fmt/format.h>

#include <array>

#include "feedback/base/error.h"
#include "rl/chat/functions.h"
#include "rl/chat/render.h"
#include "rl/chat/site.h"
#include "rl/chat/syntax.h"
#include "rl/tokenizer/utf8.h"

namespace hone::rl {
namespace {

constexpr std::size_t kSourceMax = 1'000'000;

chat::Value text_value(const std::string& text) {
  return {std::make_shared<const std::string>(text)};
}

chat::Value message_value(const Message& message) {
  if (!valid_utf8(message.role) || !valid_utf8(message.content))
    throw Error(Code::Invalid, "a message is not UTF-8", "messages");
  chat::Mapping mapping;
  mapping.set("role", text_value(message.role));
  mapping.set("content", text_value(message.content));
  return {std::make_shared<const chat::Mapping>(std::move(mapping))};
}

// Years of four digits, whose text is the same everywhere.
void check(const RenderTime& time) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (time.year % 4 == 0 && time.year % 100 != 0) || time.year % 400 == 0;
  const bool good =
      time.year >= 1000 && time.year <= 9999 && time.month >= 1 && time.month <= 12 &&
      time.day >= 1 &&
      time.day <= kDays[static_cast<std::size_t>(time.month - 1)] + (leap && time.month == 2) &&
      time.hour >= 0 && time.hour < 24 && time.minute >= 0 && time.minute < 60 &&
      time.second >= 0 && time.second < 60;
  if (!good) throw Error(Code::Invalid, "there is no such date", "now");
}

}  // namespace

struct ChatTemplate::Program {
  chat::Script script;
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
  auto script = chat::parse(chat::tokenize(jinja));
  for (const auto& [name, place] : script.late)
    if (variables.contains(name) || chat::function_named(name) || name == "messages" ||
        name == "tools" || name == "documents" || name == "add_generation_prompt")
      chat::refuse(place, fmt::format("\"{}\" is read here and set after this", name));
  const std::shared_ptr<ChatTemplate> made(new ChatTemplate);
  made->source_ = jinja;
  made->program_ =
      std::make_unique<const Program>(Program{std::move(script), std::move(variables)});
  return made;
}

std::string ChatTemplate::render(const std::vector<Message>& messages, bool add_generation_prompt,
                                 const RenderOptions& options) const {
  return render_marked(messages, add_generation_prompt, options).text;
}

Rendered ChatTemplate::render_marked(const std::vector<Message>& messages,
                                     bool add_generation_prompt,
                                     const RenderOptions& options) const {
  using chat::Value;
  if (options.now) check(*options.now);
  auto list = std::make_shared<chat::Sequence>();
  list->depth = 2;
  for (const auto& message : messages) list->items.push_back(message_value(message));
  std::map<std::string, Value> names;
  for (const auto& [name, text] : program_->variables) names[name] = text_value(text);
  names["messages"] = {chat::SharedList(std::move(list))};
  names["add_generation_prompt"] = {add_generation_prompt};
  // Defined and empty wherever templates are rendered, so that `tools is defined` says what it says
  // there.
  names["tools"] = {chat::None{}};
  names["documents"] = {chat::None{}};
  return chat::render(program_->script, std::move(names), options);
}

}  // namespace hone::rl
