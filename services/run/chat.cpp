#include "services/run/chat.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <optional>

#include "feedback/base/error.h"
#include "rl/engine/sampler.h"
#include "services/run/failures.h"
#include "services/run/loading.h"

namespace hone::run {
namespace {

volatile std::sig_atomic_t interrupted = 0;

constexpr const char* kHelp =
    R"(/system TEXT   begin again under this system turn (/system alone: the template's own)
/again         another answer to the last line
/reset         begin again
/quit          end (so does an empty Ctrl-D, or Ctrl-C; in an answer Ctrl-C ends the answer)
)";

/// A line of standard input; nullopt at its end and on Ctrl-C. (getline alone would sleep through
/// the signal.)
std::optional<std::string> read_line(bool terminal) {
  if (terminal) std::cerr << "\x1b[1m> \x1b[0m" << std::flush;
  interrupted = 0;
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  if (std::cin.rdbuf()->in_avail() <= 0 && ::poll(&input, 1, -1) < 0) return std::nullopt;
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

class Conversation {
 public:
  Conversation(const Loaded& loaded, rl::SamplingOptions options, std::uint64_t seed)
      : loaded_(loaded), options_(options), seed_(seed) {}

  void reset(const std::string& system) {
    messages_.clear();
    if (!system.empty()) messages_.push_back({"system", system});
  }

  /// True when there is a line to answer again.
  bool take_back() {
    if (messages_.empty() || messages_.back().role != "assistant") return false;
    messages_.pop_back();
    return true;
  }

  void say(const std::string& line) { messages_.push_back({"user", line}); }

  /// Draws the answer and prints it as it comes; a number for the terminal when it is done.
  void answer(bool terminal) {
    rl::SampleRequest request;
    try {
      request.prompt = rl::prompt_ids(loaded_.rules, messages_);
    } catch (const Error&) {
      messages_.pop_back();  // a line that the template refuses must not spoil the next
      throw;
    }
    request.options = options_;
    request.seed = seed_;
    request.sample = turn_++;
    const auto room = loaded_.model.config.max_position_embeddings;
    if (static_cast<std::int64_t>(request.prompt.size()) >= room) {
      messages_.pop_back();
      throw Error(Code::Invalid, "the conversation has " + std::to_string(request.prompt.size()) +
                                     " tokens and the model takes " + std::to_string(room) +
                                     "; /reset begins again");
    }
    rl::Tokenizer::Stream stream(*loaded_.rules.tokenizer, true);
    std::string text;
    std::int64_t tokens = 0;
    const auto show = [&](const std::string& piece) {
      text += piece;
      std::cout << piece << std::flush;
    };
    rl::SamplerOptions sampler;
    sampler.slots = 1;
    sampler.stop_ids = loaded_.rules.end_ids;
    rl::SamplerEvents events;
    events.on_token = [&](std::size_t, std::int64_t id) {
      ++tokens;
      show(stream.push(id));
    };
    events.stop_requested = [] { return interrupted != 0; };
    const auto start = std::chrono::steady_clock::now();
    rl::sample_all(loaded_.model, {&request, 1}, sampler, events);
    show(stream.finish());
    std::cout << '\n' << std::flush;
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (terminal)
      std::fprintf(stderr, "\x1b[2m%lld tokens, %.1f a second%s\x1b[0m\n",
                   static_cast<long long>(tokens), static_cast<double>(tokens) / spent.count(),
                   interrupted != 0 ? ", ended here" : "");
    messages_.push_back({"assistant", text});
  }

 private:
  const Loaded& loaded_;
  rl::SamplingOptions options_;
  std::uint64_t seed_;
  std::uint64_t turn_ = 0;
  std::vector<rl::Message> messages_;
};

}  // namespace

int chat(const Arguments& arguments) {
  const auto options =
      sampling_of(arguments, {.max_tokens = 1024, .temperature = 0.7, .top_p = 0.95});
  const auto seed = arguments.integer("seed").value_or(0);
  if (seed < 0) throw Error(Code::Invalid, "--seed must be 0 or more", "seed");

  const bool terminal = ::isatty(STDIN_FILENO) != 0 && ::isatty(STDERR_FILENO) != 0;
  if (terminal) std::cerr << "loading ...\r" << std::flush;
  const auto loaded = load_to_sample(arguments, {.slots = 1, .max_tokens = options.max_tokens});
  if (!loaded.rules.chat)
    throw Error(Code::Invalid, "this base's chat template cannot be used: " +
                                   loaded.rules.chat_problem + "; hone-run sample takes raw text");
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);

  Conversation conversation(loaded, options, static_cast<std::uint64_t>(seed));
  conversation.reset(arguments.text("system").value_or(""));
  if (terminal) std::cerr << loaded.base.description << ". /help lists commands.\n";
  while (auto line = read_line(terminal)) {
    try {
      if (line->empty()) continue;
      if (*line == "/quit") break;
      if (*line == "/help") {
        std::cerr << kHelp;
      } else if (*line == "/reset") {
        conversation.reset(arguments.text("system").value_or(""));
      } else if (*line == "/system" || line->starts_with("/system ")) {
        conversation.reset(line->size() > 8 ? line->substr(8) : "");
      } else if (*line == "/again") {
        if (conversation.take_back())
          conversation.answer(terminal);
        else
          std::cerr << "there is no answer yet\n";
      } else {
        conversation.say(*line);
        conversation.answer(terminal);
      }
    } catch (const Error& error) {
      std::cerr << error.detail() << '\n';
    }
  }
  if (terminal) std::cerr << '\n';
  return kDone;
}

}  // namespace hone::run
