#include "services/shared/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "services/shared/clock.h"

namespace hone::shared {
namespace {

std::string_view word(Level level) {
  switch (level) {
    case Level::Debug:
      return "debug";
    case Level::Info:
      return "info";
    case Level::Warning:
      return "warning";
    case Level::Error:
      return "error";
  }
  return "error";
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::Debug:
      return spdlog::level::debug;
    case Level::Info:
      return spdlog::level::info;
    case Level::Warning:
      return spdlog::level::warn;
    case Level::Error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

struct Open {
  std::mutex mutex;
  std::string program = "hone";
  std::shared_ptr<spdlog::logger> logger;
};

Open& open() {
  static Open the_log;
  return the_log;
}

// The line is ours; spdlog only takes it to its sinks.
std::shared_ptr<spdlog::logger> make_logger(const std::filesystem::path& file, Level least) {
  std::vector<spdlog::sink_ptr> sinks{std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  if (!file.empty())
    sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string()));
  auto logger = std::make_shared<spdlog::logger>("hone", sinks.begin(), sinks.end());
  logger->set_pattern("%v");
  logger->set_level(to_spdlog(least));
  logger->flush_on(spdlog::level::info);
  return logger;
}

}  // namespace

std::string log_line(Level level, std::string_view program, std::string_view event,
                     std::initializer_list<LogField> fields, std::string_view at) {
  nlohmann::ordered_json line;
  line["at"] = at;
  line["level"] = word(level);
  line["program"] = program;
  line["event"] = event;
  for (const auto& field : fields)
    std::visit([&](const auto& value) { line[std::string(field.name)] = value; }, field.value);
  // Text from outside may not be UTF-8; a log line must not throw for it.
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void open_log(const std::string& program, const std::filesystem::path& file, Level least) {
  auto logger = make_logger(file, least);
  const std::lock_guard lock(open().mutex);
  open().program = program;
  open().logger = std::move(logger);
}

void log(Level level, std::string_view event, std::initializer_list<LogField> fields) {
  std::shared_ptr<spdlog::logger> logger;
  std::string program;
  {
    const std::lock_guard lock(open().mutex);
    if (!open().logger) open().logger = make_logger({}, Level::Info);
    logger = open().logger;
    program = open().program;
  }
  if (!logger->should_log(to_spdlog(level))) return;
  logger->log(
      to_spdlog(level), "{}",
      log_line(level, program, event, fields, to_rfc3339(std::chrono::system_clock::now())));
}

}  // namespace hone::shared
