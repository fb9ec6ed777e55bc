#include "services/cli/follow.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <thread>

#include "feedback/base/error.h"
#include "services/cli/format.h"
#include "services/cli/remote.h"
#include "services/cli/sse.h"

namespace hone::cli {

using nlohmann::json;
using Steady = std::chrono::steady_clock;

namespace {

constexpr auto kPatience = std::chrono::minutes(5);  // without any word from the server
constexpr auto kPlainLineEvery = std::chrono::seconds(10);

double number_of(const json& value, const char* name, double fallback) {
  const auto found = value.find(name);
  return found != value.end() && found->is_number() ? found->get<double>() : fallback;
}

bool is_final(const std::string& state) {
  return state == "succeeded" || state == "failed" || state == "dead" || state == "cancelled";
}

/// Writes the progress line where it belongs: over the last one on a terminal, below it elsewhere.
class Screen {
 public:
  void show(const std::string& text, bool now) {
    if (text == last_) return;
    const auto at = Steady::now();
    if (!terminal_ && !now && at - shown_ < kPlainLineEvery) return;
    if (terminal_)
      fmt::print(stderr, "\r\x1b[K   {}", text);
    else
      fmt::print(stderr, "   {}\n", text);
    std::fflush(stderr);
    last_ = text;
    shown_ = at;
    open_ = terminal_;
  }
  /// A line that stays.
  void say(const std::string& text) {
    fmt::print(stderr, "{}   {}\n", open_ ? "\r\x1b[K" : "", text);
    open_ = false;
  }
  void end() {
    if (open_) fmt::print(stderr, "\n");
    open_ = false;
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) == 1;
  std::string last_;
  Steady::time_point shown_{};
  bool open_ = false;
};

}  // namespace

void ProgressLine::take(const std::string& type, const json& data) {
  if (!data.is_object()) return;
  if (type == "progress") {
    if (const auto stage = text_of(data, "stage"); !stage.empty() && stage != stage_) {
      stage_ = stage;
      eta_s_ = -1;
    }
    done_ = number_of(data, "done", done_);
    total_ = number_of(data, "total", total_);
  }
  if (type == "metrics") {
    stage_ = "train";
    done_ = number_of(data, "step", done_);
    total_ = number_of(data, "total_steps", total_);
    if (const auto values = data.find("values"); values != data.end() && values->is_object())
      values_ = *values;
  }
  eta_s_ = number_of(data, "eta_s", eta_s_);
}

std::string ProgressLine::text() const {
  std::string text = stage_.empty() ? "waiting" : stage_;
  if (total_ > 0)
    text += fmt::format("  {}{:.0f}/{:.0f}", stage_ == "train" ? "step " : "", done_, total_);
  if (stage_ == "train") {
    const auto add = [&](const char* name, const char* label, const char* unit) {
      if (const auto value = number_of(values_, name, -1e300); value > -1e300)
        text += fmt::format("  {} {:.3g}{}", label, value, unit);
    };
    add("loss", "loss", "");
    add("pref/margin", "margin", "");
    add("pref/accuracy", "accuracy", "");
  }
  if (eta_s_ >= 0) text += "  " + spell_seconds(eta_s_) + " left";
  return text;
}

json follow(HttpClient& client, const std::string& kind, const std::string& id) {
  const auto path = "/api/v1/" + kind + "/" + encode(id);
  ProgressLine progress;
  Screen screen;
  std::int64_t seq = 0;
  bool ended = false;
  auto heard = Steady::now();

  const auto take = [&](const SseEvent& event) {
    if (event.type == "end") {
      ended = true;
      return;
    }
    const auto body = json::parse(event.data, nullptr, false);
    if (!body.is_object()) return;
    seq = body.value("seq", seq);
    const auto type = body.value("type", event.type);
    const auto before = progress.stage();
    if (const auto data = body.find("data"); data != body.end()) progress.take(type, *data);
    if (type == "progress" || type == "metrics") {
      screen.show(progress.text(), progress.stage() != before);
    } else if (const auto message = text_of(body, "message"); !message.empty()) {
      screen.say(message);
    }
  };

  while (!ended) {
    try {
      SseReader reader(take);
      const auto on_bytes = [&](std::string_view bytes) {
        heard = Steady::now();
        reader.push(bytes);
        return !ended;
      };
      client.stream(path + "/events?after_seq=" + std::to_string(seq), on_bytes);
      heard = Steady::now();
      // A stream that ends without saying so: the server went down in good order, or dropped a
      // slow reader. What is stored decides.
      if (!ended && is_final(text_of(client.get(path), "state"))) ended = true;
    } catch (const Error& e) {
      if (e.code() != Code::Busy) throw;
      if (Steady::now() - heard > kPatience) throw;
    }
    if (!ended) std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  screen.end();
  return client.get(path);
}

int exit_status(const json& ended) {
  const auto state = text_of(ended, "state");
  if (state == "succeeded") return 0;
  std::string why = state;
  if (const auto error = ended.find("error"); error != ended.end() && error->is_object()) {
    why += ": " + text_of(*error, "detail");
    if (const auto code = text_of(*error, "code"); !code.empty()) why += " [" + code + "]";
    const auto blame = text_of(*error, "blame");
    if (blame == "user") why += ". The spec or the data asks for this; change it and start again";
    if (blame == "infra") why += ". The machine failed, not the run; starting it again may do";
    if (blame == "bug") why += ". This is a fault of Hone's; the worker's log has the details";
  }
  fmt::print(stderr, "hone: {}\n", why);
  return 1;
}

}  // namespace hone::cli
