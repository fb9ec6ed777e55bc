// The log: one JSON object a line on standard error, one line an event, with the request or run it
// belongs to. Never tokens, passwords, prompts or responses.
//
// Any thread. Before open_log() the lines go to standard error all the same.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace hone::shared {

enum class Level { Debug, Info, Warning, Error };

struct LogField {
  std::string_view name;
  std::variant<std::string, std::int64_t, double, bool> value;
  LogField(std::string_view n, std::string v) : name(n), value(std::move(v)) {}
  LogField(std::string_view n, std::string_view v) : name(n), value(std::string(v)) {}
  LogField(std::string_view n, const char* v) : name(n), value(std::string(v)) {}
  LogField(std::string_view n, bool v) : name(n), value(v) {}
  LogField(std::string_view n, double v) : name(n), value(v) {}
  template <class Int>
  requires std::is_integral_v<Int> LogField(std::string_view n, Int v)
      : name(n), value(static_cast<std::int64_t>(v)) {}
};

/// `program` stands in every line. `file`, when given, gets the lines too.
void open_log(const std::string& program, const std::filesystem::path& file = {},
              Level least = Level::Info);

/// {"at":"...Z","level":"info","program":"...","event":EVENT,fields...}
void log(Level level, std::string_view event, std::initializer_list<LogField> fields = {});

inline void log_info(std::string_view event, std::initializer_list<LogField> fields = {}) {
  log(Level::Info, event, fields);
}
inline void log_warning(std::string_view event, std::initializer_list<LogField> fields = {}) {
  log(Level::Warning, event, fields);
}
inline void log_error(std::string_view event, std::initializer_list<LogField> fields = {}) {
  log(Level::Error, event, fields);
}

/// The line without its end, for tests and for the log itself.
std::string log_line(Level level, std::string_view program, std::string_view event,
                     std::initializer_list<LogField> fields, std::string_view at);

}  // namespace hone::shared
