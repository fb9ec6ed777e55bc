// Chat templates: conversations to the text a model was trained on, by a small, strict Jinja
// subset.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hone::rl {

struct Message {
  std::string role;
  std::string content;
};

/// A parsed template. Immutable; safe from several threads.
class ChatTemplate {
 public:
  /// Parses the whole template. A construct outside the subset is refused with Invalid naming it
  /// and its line and column: never guessed. `variables` are further names the template may read,
  /// such as bos_token and eos_token.
  static std::shared_ptr<const ChatTemplate> from_source(
      std::string_view jinja, std::map<std::string, std::string> variables = {});
  ~ChatTemplate();

  /// The conversation as text, the template's own default system turn included. The text already
  /// holds every special token: encode it without adding any. Invalid when the template itself
  /// refuses the conversation (raise_exception), or runs past its step limit.
  std::string render(const std::vector<Message>& messages, bool add_generation_prompt) const;

  const std::string& source() const { return source_; }

 private:
  ChatTemplate();
  struct Program;
  std::unique_ptr<const Program> program_;
  std::string source_;
};

}  // namespace hone::rl
