#include "services/run/dry_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>

#include "feedback/base/error.h"
#include "rl/formats/files.h"
#include "rl/tokenizer/tokenizer.h"
#include "services/run/events.h"
#include "services/run/failures.h"
#include "services/run/train_spec.h"
#include "services/shared/json.h"
#include "services/shared/settings_json.h"

namespace hone::run {
namespace {

namespace fs = std::filesystem;
using rl::Mark;

/// Keeps what is told; stops when asked to.
class Rehearsal : public EventWriter {
 public:
  Rehearsal() : EventWriter(fs::path()) {}
  void progress(std::string_view, std::int64_t, std::int64_t, double) override {}
  void metrics(std::int64_t, std::int64_t, double, const rl::Values&) override {}
  void checkpoint(std::int64_t, const fs::path&) override {}
  void evaluation(const rl::Values&) override {}
  void message(std::string_view level, const std::string& text) override {
    messages.push_back(std::string(level) + ": " + text);
  }
  std::vector<std::string> messages;
};

std::string gigabytes(std::int64_t bytes) {
  return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9);
}

std::string duration(double s) {
  if (s < 10) return fmt::format("{:.1f} s", s);
  if (s < 120) return fmt::format("{:.0f} s", s);
  if (s < 7200) return fmt::format("{:.0f} min", s / 60);
  if (s < 172800) return fmt::format("{:.1f} h", s / 3600);
  return fmt::format("{:.1f} days", s / 86400);
}

/// True when `word` stands in `text` between what is no part of a name.
bool names(const std::string& text, const std::string& word) {
  const auto part = [&](std::size_t i) {
    return i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) || text[i] == '_');
  };
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
    if (!(at > 0 && part(at - 1)) && !part(at + word.size())) return true;
  return false;
}

std::string formula(const rl::TrainSpec& spec) {
  const auto& method = *spec.method;
  std::string out = method.name + ": " + method.what + "\n  minimised: " + method.formula + "\n";
  const auto values = shared::settings_json(spec.settings);
  std::string with;
  for (const auto& entry : spec.settings.entries()) {
    const auto& s = *entry.setting;
    const auto value = values.at(s.name);
    if (names(method.formula, s.name))
      with += fmt::format("{}{} = {}", with.empty() ? "" : ", ", s.name, value.dump());
    else if (s.meaning.starts_with("adds it") && value != 0.0)
      out += fmt::format("  plus {} = {}: {}\n", s.name, value.dump(), s.meaning);
  }
  if (!with.empty()) out += "  with " + with + "\n";
  return out;
}

std::string settings(const rl::TrainSpec& spec) {
  const auto values = shared::settings_json(spec.settings);
  std::string out = "settings (* is not the default)\n";
  for (const auto& entry : spec.settings.entries())
    out += fmt::format("  {}{:<25} {:<16} {}\n", entry.value == entry.preset ? ' ' : '*',
                       entry.setting->name, values.at(entry.setting->name).dump(),
                       entry.setting->meaning);
  out += "   adapter                   ";
  out += spec.lora ? fmt::format("lora, rank {}, alpha {}\n", spec.lora->rank, spec.lora->alpha)
                   : "none: all weights train\n";
  if (spec.seeds.empty()) return out + fmt::format("   seed                      {}\n", spec.seed);
  std::string all;
  for (const auto seed : spec.seeds) all += (all.empty() ? "" : ", ") + std::to_string(seed);
  return out + "   seeds                     " + all + ", one after another\n";
}

std::string data(const rl::DryRun& run) {
  const auto& f = run.facts;
  const bool draws = run.spec.method->family == feedback::Family::Policy;
  std::string out = fmt::format("data {}\n  {} {} to train on, {} held out; {} steps of {}\n",
                                run.spec.data.string(), f.train, f.rows_name, f.held_out, run.steps,
                                run.spec.batch_size());
  out += draws ? fmt::format("  {} tokens of prompts an epoch; answers are drawn, up to {} each\n",
                             f.tokens, run.spec.settings.integer("max_new_tokens"))
               : fmt::format("  {} tokens an epoch, {} of them in the loss\n", f.tokens,
                             f.loss_tokens);
  out += fmt::format("  the longest row has {} tokens and may have {}\n", f.longest,
                     run.longest_tokens);
  out += fmt::format(
      "  {} left out, {} cut, {} tokenised otherwise together with their prompt (trained on as "
      "sampled, apart)\n",
      f.dropped, f.cut, f.boundary_merges);
  for (const auto& [why, count] : f.counts) {
    auto words = why;
    std::replace(words.begin(), words.end(), '_', ' ');
    if (count > 0) out += fmt::format("    {}: {}\n", words, count);
  }
  return out;
}

std::string memory(const rl::DryRun& run) {
  const auto& m = run.memory;
  const std::pair<const char*, std::int64_t> parts[] = {
      {"weights", m.weights},     {"gradients", m.gradients},
      {"optimizer", m.optimizer}, {"activations", m.activations},
      {"logits", m.logits},       {"other models", m.others},
      {"fixed", m.fixed}};
  std::string out = "memory\n";
  for (const auto& [name, bytes] : parts)
    if (bytes != 0) out += fmt::format("  {:<14} {:>10}\n", name, gigabytes(bytes));
  out += fmt::format("  {:<14} {:>10}\n", "together", gigabytes(m.total()));
  out += run.available == 0 ? "  how much is free is not known\n"
                            : fmt::format("  {:<14} {:>10}\n", "free", gigabytes(run.available));
  if (run.smaller.empty()) return out + "  it fits\n";
  return out + "  it does not fit in 92 % of that; " + run.smaller + "\n";
}

std::string time(const rl::TimeForecast& t, bool win_rate) {
  std::string out = "time, measured on one micro-batch here and now\n";
  const auto line = [&](const char* name, double seconds, const std::string& more = "") {
    if (seconds > 0) out += fmt::format("  {:<14} about {}{}\n", name, duration(seconds), more);
  };
  line("loading", t.load);
  line("preparing", t.prepare, ": reference, other models");
  line("a rollout", t.rollout,
       fmt::format(" if every answer is as long as it may be; {} of them", t.rollouts));
  line("a step", t.step, fmt::format("; {} of them", t.steps));
  line("evaluation", t.evaluation, win_rate ? ", without the win rate's answers" : "");
  return out + fmt::format("  {:<14} about {}{}\n", "together", duration(t.total()),
                           t.runs > 1 ? fmt::format(", of {} seeds", t.runs) : "");
}

/// Nothing of a text moves a cursor or rings a bell.
std::string harmless(const std::string& text) {
  std::string out;
  for (const char c : text)
    if (c == '\n')
      out += "\u21b5\n";
    else if (c == '\r')
      out += "\\r";
    else
      out += c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) ? std::string(1, c)
                                                                               : "\u00b7";
  return out;
}

/// The texts of tokens, those together that no text can be cut between (parts of one character).
struct Piece {
  std::string text;
  Mark mark;
};
std::vector<Piece> pieces_of(const rl::ShownText& shown, const rl::Tokenizer& tokenizer) {
  const std::string unfinished = "\xef\xbf\xbd";
  std::vector<Piece> out;
  for (std::size_t from = 0; from < shown.ids.size();) {
    // A run of one mark is decoded as a whole; a token's text is what it adds.
    auto to = from;
    while (to < shown.ids.size() && shown.marks[to] == shown.marks[from]) ++to;
    std::string before;
    for (auto end = from + 1; end <= to; ++end) {
      const auto text = tokenizer.decode(std::span(shown.ids).subspan(from, end - from), false);
      const bool whole = !text.ends_with(unfinished) && text.starts_with(before);
      if (!whole && end < to) continue;
      out.push_back(
          {text.starts_with(before) ? text.substr(before.size()) : text, shown.marks[from]});
      before = text;
    }
    from = to;
  }
  return out;
}

struct Style {
  const char *open, *close;  // plain
  const char* colours[2];    // in turn
};
Style style_of(Mark mark) {
  switch (mark) {
    case Mark::Given:
      return {"", "", {"\x1b[2m", "\x1b[2m"}};
    case Mark::Learnt:
      return {"[+", "+]", {"\x1b[30;42m", "\x1b[30;102m"}};
    case Mark::Against:
      return {"[-", "-]", {"\x1b[97;41m", "\x1b[30;101m"}};
    case Mark::Masked:
      return {"[~", "~]", {"\x1b[97;100m", "\x1b[30;47m"}};
  }
  return {"", "", {"", ""}};
}

std::string legend(Look look) {
  std::string out;
  const std::pair<Mark, const char*> all[] = {{Mark::Given, "given"},
                                              {Mark::Learnt, "made likelier"},
                                              {Mark::Against, "made less likely"},
                                              {Mark::Masked, "not seen by the loss"}};
  for (const auto& [mark, words] : all) {
    const auto style = style_of(mark);
    out += "  ";
    out += look == Look::Plain ? std::string(style.open) + words + style.close
                               : std::string(style.colours[0]) + words + "\x1b[0m";
  }
  return out + "\n";
}

}  // namespace

std::string show_text(const rl::ShownText& shown, const rl::Tokenizer& tokenizer, Look look) {
  std::string out;
  const auto pieces = pieces_of(shown, tokenizer);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto style = style_of(pieces[i].mark);
    const bool first = i == 0 || pieces[i - 1].mark != pieces[i].mark;
    const bool last = i + 1 == pieces.size() || pieces[i + 1].mark != pieces[i].mark;
    const auto text = harmless(pieces[i].text);
    if (look == Look::Colour)
      out += style.colours[i % 2] + text + "\x1b[0m";
    else
      out += (first ? style.open : "") + text + (last ? style.close : "");
  }
  return out;
}

std::string report(const rl::DryRun& run, const std::vector<std::string>& messages, Look look) {
  std::string out = formula(run.spec) + "  base: " + run.base + "\n\n" + settings(run.spec) + "\n" +
                    data(run) + "\n" + memory(run) + "\n";
  if (run.time) out += time(*run.time, run.spec.win_rate.has_value()) + "\n";
  for (const auto& message : messages) out += message + "\n";
  out += "\nof the first batch:" + legend(look);
  for (const auto& text : run.batch)
    out += fmt::format("line {}, {}, {} tokens\n", text.line, text.what, text.ids.size()) +
           show_text(text, *run.tokenizer, look) + "\n";
  return out;
}

int dry_run_file(const fs::path& file) {
  const auto json = shared::parse_json(rl::read_file(file, 16 << 20));
  auto spec = parse_train_spec(json, fs::absolute(file).parent_path());
  identify_models(spec);
  Rehearsal rehearsal;
  const auto run = rl::dry_run(spec, rehearsal);
  if (!run) return kTryAgain;
  const auto look = ::isatty(STDOUT_FILENO) != 0 ? Look::Colour : Look::Plain;
  std::cout << report(*run, rehearsal.messages, look) << std::flush;
  if (run->smaller.empty()) return kDone;
  std::cerr << "hone-run: the run does not fit in memory\n";
  return kSpec;
}

}  // namespace hone::run
