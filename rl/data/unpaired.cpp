#include "rl/data/unpaired.h"

#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/data/preferences.h"
#include "rl/data/row_tokens.h"
#include "rl/formats/files.h"

namespace hone::rl {
namespace {

constexpr std::uint64_t kFileLimit = std::uint64_t{4} << 30;
constexpr double kWeightMax = 1e6;

/// One answer before tokens.
struct Marked {
  std::string text, field;
  bool desirable = false;
};

/// Whether each answer of a pair is good, where that is known.
std::vector<Marked> marked(const PreferenceRow& row) {
  std::vector<Marked> out;
  for (int i = 0; i < 2; ++i) {
    auto good = row.acceptable[i];
    if (row.both_bad)
      good = false;
    else if (!good && !row.tie)
      good = (row.p > 0.5) == (i == 0);
    if (good) out.push_back({row.answers[i], row.fields[i], *good});
  }
  return out;
}

class Reader {
 public:
  Reader(const TextRules& rules, const ReadOptions& options) : rules_(rules), options_(options) {}

  void preference(const PreferenceRow& row) {
    if (row.several_turns) {
      ++data_.several_turns;
      return;
    }
    const auto answers = marked(row);
    if (answers.empty()) ++data_.ties;
    if (row.both_bad) ++data_.both_bad;
    for (const auto& answer : answers) add(row.prompt, answer, row.held_out, row.line, row.slice);
  }

  void single(const RowFields& row) {
    const auto prompt = prompt_of(row, "prompt");
    const auto label = row.find_flag("label");
    if (!label) row.refuse("label", "is missing");
    const auto weight = row.find_number("weight", 0, kWeightMax).value_or(1);
    const bool held_out = is_held_out(row);
    if (has_several_turns(row, "completion")) {
      ++data_.several_turns;
      return;
    }
    add(prompt, {response_of(row, "completion"), "completion", *label}, held_out, row.line(),
        slice_of(row), weight);
  }

  UnpairedData finish() {
    data_.duplicates = repeats_.duplicates();
    data_.leaked_prompts = repeats_.leaked_prompts();
    data_.leaked_line = repeats_.leaked_line();
    refuse_many_too_long(data_.too_long, answers_, options_.max_tokens);
    if (data_.train.empty())
      throw Error(Code::Invalid,
                  "there are no answers to train on: " + std::to_string(data_.ties) +
                      " rows are ties, " + std::to_string(data_.too_long) +
                      " answers are too long, " + std::to_string(data_.several_turns) +
                      " rows hold answers of several turns and " +
                      std::to_string(data_.held_out.size()) + " answers are held out",
                  "data");
    return std::move(data_);
  }

 private:
  void add(const Prompt& prompt, const Marked& answer, bool held_out, std::int64_t line,
           const std::string& slice, double weight = 1) {
    ++answers_;
    UnpairedRow out{.prompt = row_prompt(rules_, prompt, line, "prompt"),
                    .response = row_response(rules_, prompt, answer.text, line, answer.field),
                    .desirable = answer.desirable,
                    .weight = weight,
                    .slice = slice,
                    .line = line};
    if (static_cast<std::int64_t>(out.prompt.size() + out.response.size()) > options_.max_tokens) {
      ++data_.too_long;
      return;
    }
    data_.boundary_merges += merges_at_boundary(rules_, prompt, answer.text, out.prompt);
    repeats_.add(line, held_out, out.prompt, {&out.response}, answer.desirable ? "good " : "bad ");
    (held_out ? data_.held_out : data_.train).push_back(std::move(out));
  }

  const TextRules& rules_;
  ReadOptions options_;
  UnpairedData data_;
  Repeats repeats_;
  std::int64_t answers_ = 0;
};

}  // namespace

UnpairedData read_unpaired(const std::filesystem::path& path, const TextRules& rules,
                           const ReadOptions& options) {
  enum class Kind { Snapshot, Pairs, Single };
  const std::string text = read_file(path, kFileLimit);
  Reader reader(rules, options);
  std::optional<Kind> kind;
  for_each_row(text, [&](const nlohmann::json& json, std::int64_t line) {
    const RowFields row(json, line);
    if (!kind)
      kind = row.has("responses") ? Kind::Snapshot : row.has("chosen") ? Kind::Pairs : Kind::Single;
    if (*kind == Kind::Single)
      reader.single(row);
    else
      reader.preference(*kind == Kind::Snapshot ? snapshot_row(row) : trl_row(row));
  });
  auto data = reader.finish();
  data.sha256 = sha256_of(text);
  return data;
}

}  // namespace hone::rl
