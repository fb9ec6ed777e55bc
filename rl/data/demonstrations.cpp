#include "rl/data/demonstrations.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/data/preferences.h"
#include "rl/data/row_tokens.h"
#include "rl/data/turns.h"
#include "rl/formats/files.h"

namespace hone::rl {
namespace {

constexpr std::uint64_t kFileLimit = std::uint64_t{4} << 30;

enum class Kind { Snapshot, Pairs, Messages, Completion, Text };

Kind kind_of(const RowFields& row) {
  if (row.has("responses")) return Kind::Snapshot;
  if (row.has("chosen")) return Kind::Pairs;
  if (row.has("messages")) return Kind::Messages;
  if (row.has("completion")) return Kind::Completion;
  if (row.has("text")) return Kind::Text;
  row.refuse("messages",
             "is missing: want \"messages\", \"prompt\" and \"completion\", \"text\", or "
             "\"prompt\", \"chosen\" and \"rejected\"");
}

class Reader {
 public:
  Reader(const TextRules& rules, const ReadOptions& options) : rules_(rules), options_(options) {}

  void read(const RowFields& row) {
    if (!kind_) kind_ = kind_of(row);
    switch (*kind_) {
      case Kind::Snapshot:
        return preference(snapshot_row(row));
      case Kind::Pairs:
        return preference(trl_row(row));
      case Kind::Messages:
        return conversation(row);
      case Kind::Completion:
        return completion(row);
      case Kind::Text:
        return raw(row);
    }
  }

  DemonstrationData finish() {
    data_.duplicates = repeats_.duplicates();
    data_.leaked_prompts = repeats_.leaked_prompts();
    data_.leaked_line = repeats_.leaked_line();
    if (data_.train.empty())
      throw Error(Code::Invalid,
                  "there is nothing to train on: " + std::to_string(data_.too_long) +
                      " rows hold nothing to learn within max_tokens, " +
                      std::to_string(data_.undesirable) + " have no answer to imitate, " +
                      std::to_string(data_.several_turns) + " hold answers of several turns and " +
                      std::to_string(data_.held_out.size()) + " are held out",
                  "data");
    return std::move(data_);
  }

 private:
  void preference(const PreferenceRow& row) {
    const int chosen = row.p >= 0.5 ? 0 : 1;
    if (row.tie || row.both_bad || !row.acceptable[chosen].value_or(true))
      ++data_.undesirable;
    else if (row.several_turns)
      ++data_.several_turns;
    else
      answer(row.prompt, row.answers[chosen], row.fields[chosen], row.held_out,
             {.ids = {}, .mask = {}, .slice = row.slice, .line = row.line});
  }

  void completion(const RowFields& row) {
    const auto prompt = prompt_of(row, "prompt");
    if (!row.find_flag("label").value_or(true)) {
      ++data_.undesirable;
      return;
    }
    answer(prompt, response_of(row, "completion"), "completion", is_held_out(row), start(row));
  }

  void answer(const Prompt& prompt, const std::string& text, const std::string& field,
              bool held_out, DemonstrationRow out) {
    out.ids = row_prompt(rules_, prompt, out.line, "prompt");
    const auto before = out.ids.size();
    const auto response = row_response(rules_, prompt, text, out.line, field);
    data_.boundary_merges += merges_at_boundary(rules_, prompt, text, out.ids);
    out.ids.insert(out.ids.end(), response.begin(), response.end());
    out.mask.assign(out.ids.size(), 1);
    std::fill_n(out.mask.begin(), before, 0);
    add(held_out, std::move(out));
  }

  void conversation(const RowFields& row) {
    const auto messages = messages_of(row, "messages");
    auto out = start(row);
    try {
      auto marked = marked_ids(rules_, messages);
      data_.boundary_merges += marked.merged;
      out.ids = std::move(marked.ids);
      out.mask = std::move(marked.mask);
    } catch (const Error& e) {
      bad_row(row.line(), e.pointer(), e.detail());
    }
    check_ids(rules_, out.ids, row.line(), "messages");
    add(is_held_out(row), std::move(out));
  }

  void raw(const RowFields& row) {
    const auto text = row.text("text");
    if (text.empty()) row.refuse("text", "is empty: there is nothing to learn from");
    auto out = start(row);
    out.ids = row_prompt(rules_, text, row.line(), "text");
    out.mask.assign(out.ids.size(), 1);
    add(is_held_out(row), std::move(out));
  }

  static DemonstrationRow start(const RowFields& row) {
    return {.ids = {}, .mask = {}, .slice = slice_of(row), .line = row.line()};
  }

  void add(bool held_out, DemonstrationRow row) {
    row.mask.front() = 0;  // nothing stands before it that it could be told from
    const auto first = std::find(row.mask.begin(), row.mask.end(), 1) - row.mask.begin();
    const bool raw = kind_ == Kind::Text;
    const Ids prompt(row.ids.begin(), raw ? row.ids.end() : row.ids.begin() + first);
    const auto limit = static_cast<std::size_t>(options_.max_tokens);
    const bool over = row.ids.size() > limit;
    if (first >= static_cast<std::ptrdiff_t>(std::min(limit, row.ids.size()))) {
      if (!over) bad_row(row.line, "", "is one token long: there is nothing to learn from");
      ++data_.too_long;
      return;
    }
    repeats_.add(row.line, held_out, prompt, {&row.ids});
    if (over) {
      row.ids.resize(limit);
      row.mask.resize(limit);
      ++data_.cut;
    }
    (held_out ? data_.held_out : data_.train).push_back(std::move(row));
  }

  const TextRules& rules_;
  ReadOptions options_;
  std::optional<Kind> kind_;
  DemonstrationData data_;
  Repeats repeats_;
};

}  // namespace

DemonstrationData read_demonstrations(const std::filesystem::path& path, const TextRules& rules,
                                      const ReadOptions& options) {
  const std::string text = read_file(path, kFileLimit);
  Reader reader(rules, options);
  for_each_row(text, [&](const nlohmann::json& json, std::int64_t line) {
    reader.read(RowFields(json, line));
  });
  auto data = reader.finish();
  data.sha256 = sha256_of(text);
  return data;
}

}  // namespace hone::rl
