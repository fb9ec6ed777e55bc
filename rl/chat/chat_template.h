// Chat templates: conversations to the text a model was trained on, by a strict subset of Jinja.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::rl {

struct Message {
  std::string role;
  std::string content;
};

/// A day and a time of day, of no time zone.
struct RenderTime {
  int year;
  int month;
  int day;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

struct RenderOptions {
  /// What strftime_now answers with. Without one a template that calls it is refused: never the
  /// clock, or one conversation would have a different text each day.
  std::optional<RenderTime> now = std::nullopt;
};

struct Rendered {
  struct Span {
    std::size_t begin;  ///< in bytes of the text
    std::size_t end;
  };
  std::string text;
  /// What stands in {% generation %} blocks: the assistant's own words, in order. Empty when the
  /// template marks none.
  std::vector<Span> generated;
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
  /// refuses the conversation (raise_exception), computes what the subset cannot, or runs past its
  /// limits.
  std::string render(const std::vector<Message>& messages, bool add_generation_prompt,
                     const RenderOptions& options = {}) const;

  /// The same text, and which of it the model is to have written.
  Rendered render_marked(const std::vector<Message>& messages, bool add_generation_prompt,
                         const RenderOptions& options = {}) const;

  const std::string& source() const { return source_; }

 private:
  ChatTemplate();
  struct Program;
  std::unique_ptr<const Program> program_;
  std::string source_;
};

}  // namespace hone::rl
