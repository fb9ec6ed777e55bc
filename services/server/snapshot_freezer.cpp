#include "services/server/snapshot_freezer.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>

#include "feedback/base/error.h"
#include "feedback/critics/measures.h"
#include "feedback/snapshots/merkle.h"
#include "services/server/json/values.h"
#include "storage/artifacts/sha256.h"
#include "storage/artifacts/store.h"
#include "storage/ids.h"

namespace hone::server {
namespace {

using feedback::HeadJudgment;
using nlohmann::json;

constexpr std::size_t kTextsABatch = 500;

feedback::Digest sha256(std::string_view bytes) {
  storage::Sha256 hash;
  hash.update(bytes);
  return hash.digest();
}

struct Heads {
  storage::Project project;
  std::vector<storage::CriticVersion> critics;
  std::vector<HeadJudgment> heads;
  std::vector<ComparisonId> comparisons;  // ascending, each once
};

Heads read_heads(storage::Tx& tx, const ProjectId& project, const SnapshotAsked& asked) {
  Heads out{storage::get_project(tx, project), storage::list_critics(tx, project), {}, {}};
  for (auto& head : storage::list_heads(tx, project, asked.kinds)) {
    out.comparisons.push_back(head.comparison);
    out.heads.push_back({head.judgment.value, head.comparison.value, head.judge.value, head.kind,
                         head.verdict, head.strength,
                         head.left ? std::optional(std::stoi(*head.left)) : std::nullopt});
  }
  std::sort(out.comparisons.begin(), out.comparisons.end());
  out.comparisons.erase(std::unique(out.comparisons.begin(), out.comparisons.end()),
                        out.comparisons.end());
  return out;
}

/// Characters of an answer: all its turns together.
std::int64_t length_of(const storage::JsonText& messages) {
  std::int64_t out = 0;
  for (const auto& message : stored_json(messages))
    out += feedback::count_characters(message.at("content").get_ref<const std::string&>());
  return out;
}

feedback::ComparisonFacts facts_of(const storage::ComparisonText& text) {
  if (text.responses.size() != 2)
    throw Error(Code::Conflict, "a comparison of other than two answers cannot be frozen yet");
  return {text.id.value,
          text.split == "held_out" ? feedback::Split::HeldOut : feedback::Split::Train,
          text.prompt_sha256,
          {text.response_sha256[0], text.response_sha256[1]},
          {length_of(text.responses[0]), length_of(text.responses[1])}};
}

/// The file being written, gone with its owner.
class Draft {
 public:
  explicit Draft(const std::filesystem::path& folder)
      : path_(folder / ("snapshot-" + storage::new_uuid() + ".jsonl")) {
    std::filesystem::create_directories(folder);
    out_.open(path_, std::ios::binary);
    if (!out_) throw Error(Code::Busy, "the snapshot could not be written on the server's disk");
  }
  ~Draft() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  void add(const std::string& line) { out_ << line << '\n'; }
  const std::filesystem::path& finish() {
    out_.close();
    if (!out_)
      throw Error(Code::Busy, "the snapshot could not be written: is the server's disk full?");
    return path_;
  }

 private:
  std::filesystem::path path_;
  std::ofstream out_;
};

using Texts = std::vector<storage::ComparisonText>;

/// The texts of the comparisons from `from` on; a batch.
net::awaitable<Texts> read_texts(App& app, TeamId team, const std::vector<ComparisonId>& ids,
                                 std::size_t from) {
  const std::vector<ComparisonId> batch(
      ids.begin() + static_cast<std::ptrdiff_t>(from),
      ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), from + kTextsABatch)));
  const auto read = [batch](storage::Tx& tx) { return storage::list_comparison_texts(tx, batch); };
  auto texts = co_await app.db.transact(team, read);
  if (texts.size() != batch.size())
    throw Error(Code::Busy, "the comparisons changed while they were read; please try again");
  co_return texts;
}

std::vector<storage::SnapshotRow> leaves_of(const feedback::Frozen& frozen,
                                            const std::vector<HeadJudgment>& heads,
                                            const std::vector<feedback::ComparisonFacts>& facts) {
  std::vector<storage::SnapshotRow> out;
  for (const auto& row : frozen.rows)
    for (const std::size_t at : row.judgments)
      out.push_back({0, JudgmentId{heads[at].judgment}, feedback::to_hex(frozen.leaves[at]),
                     feedback::to_string(facts[row.comparison].split)});
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.judgment < b.judgment; });
  for (std::size_t i = 0; i < out.size(); ++i) out[i].ordinal = static_cast<std::int64_t>(i);
  return out;
}

/// Rows and manifest into the store, and what the database keeps of them.
net::awaitable<storage::NewSnapshot> store_snapshot(App& app, Caller caller, ProjectId project,
                                                    std::string name, Draft& draft,
                                                    const json& described,
                                                    std::vector<storage::SnapshotRow> leaves) {
  storage::Blob rows, manifest_blob;
  const auto store = [&] {
    rows = app.store.adopt(draft.finish());
    manifest_blob = app.store.put_bytes(described.dump());
  };
  co_await app.files.call(store);
  co_return storage::NewSnapshot{.project = project,
                                 .name = std::move(name),
                                 .root = described["root"],
                                 .manifest_sha256 = manifest_blob.sha256,
                                 .artifact_sha256 = rows.sha256,
                                 .artifact_bytes = rows.bytes,
                                 .rows = described["rows"].dump(),
                                 .judges = described["judgments"].dump(),
                                 .statistics = described["statistics"].dump(),
                                 .aggregation = described["aggregation"].dump(),
                                 .manifest = described.dump(),
                                 .leaves = std::move(leaves),
                                 .created_by = caller.user};
}

struct Prompts {
  storage::Project project;
  std::vector<PromptId> ids;
};

/// All prompts, judged or not, for what learns from a reward. Texts are read a batch at a time.
net::awaitable<storage::NewSnapshot> freeze_prompts(App& app, Caller caller, ProjectId project,
                                                    SnapshotAsked asked) {
  const auto read = [=](storage::Tx& tx) {
    return Prompts{storage::get_project(tx, project), storage::list_prompt_ids(tx, project)};
  };
  const Prompts given = co_await app.db.transact(caller.team, read);

  Draft draft(app.config.tmp());
  SnapshotAnswers answers;
  PromptCounts counts;
  std::vector<feedback::Digest> leaves;
  for (std::size_t from = 0; from < given.ids.size(); from += kTextsABatch) {
    const std::vector<PromptId> batch(
        given.ids.begin() + static_cast<std::ptrdiff_t>(from),
        given.ids.begin() +
            static_cast<std::ptrdiff_t>(std::min(given.ids.size(), from + kTextsABatch)));
    const auto read_batch = [batch](storage::Tx& tx) {
      return storage::list_prompt_texts(tx, batch);
    };
    const auto texts = co_await app.db.transact(caller.team, read_batch);
    const auto write = [&] {
      for (const auto& text : texts) {
        draft.add(row_line(text));
        answers.add(text.sha256, text.answer);
        ++(text.split == "held_out" ? counts.held_out : counts.train);
        leaves.push_back(feedback::leaf_digest(
            feedback::PromptLeaf{text.id.value, text.sha256, text.split, text.answer}, sha256));
      }
    };
    co_await app.files.call(write);
  }
  if (counts.train == 0)
    throw Error(Code::Invalid, given.ids.empty()
                                   ? "the project has no prompts to freeze: import some first"
                                   : "every prompt is held out: there is none to train on");
  const json described =
      manifest(feedback::root_of_leaves(std::move(leaves), sha256), counts, given.project, answers);
  const std::vector<storage::SnapshotRow> no_judgments;
  co_return co_await store_snapshot(app, caller, project, asked.name, draft, described,
                                    no_judgments);
}

}  // namespace

net::awaitable<storage::NewSnapshot> freeze_project(App& app, Caller caller, ProjectId project,
                                                    SnapshotAsked asked) {
  if (asked.prompts) co_return co_await freeze_prompts(app, caller, project, asked);
  const auto read = [=](storage::Tx& tx) { return read_heads(tx, project, asked); };
  const Heads given = co_await app.db.transact(caller.team, read);

  // Texts are read twice, a batch at a time: what a row says depends on all judgments, and a large
  // project does not fit into memory.
  std::vector<feedback::ComparisonFacts> facts;
  for (std::size_t from = 0; from < given.comparisons.size(); from += kTextsABatch) {
    const Texts texts = co_await read_texts(app, caller.team, given.comparisons, from);
    for (const auto& text : texts) facts.push_back(facts_of(text));
  }

  const feedback::OneCoinOptions options;
  feedback::Frozen frozen;
  const auto compute = [&] {
    frozen = feedback::freeze(given.heads, facts, project.value, sha256, options);
  };
  co_await app.files.call(compute);
  if (frozen.train == 0)
    throw Error(
        Code::Invalid,
        given.heads.empty()
            ? "there are no judgments to freeze yet"
            : "no judgment prefers one answer of a training prompt: there is no pair to train on");

  Draft draft(app.config.tmp());
  SnapshotAnswers answers;
  std::size_t next = 0;  // rows and comparisons lie in the same order
  for (std::size_t from = 0; from < given.comparisons.size(); from += kTextsABatch) {
    const Texts texts = co_await read_texts(app, caller.team, given.comparisons, from);
    const auto write = [&] {
      for (const auto& text : texts) {
        draft.add(row_line(frozen, frozen.rows[next++], given.heads, text));
        answers.add(text.prompt_sha256, text.answer);
      }
    };
    co_await app.files.call(write);
  }

  const json described =
      manifest(frozen, given.heads, given.project, given.critics, asked, options, answers);
  co_return co_await store_snapshot(app, caller, project, asked.name, draft, described,
                                    leaves_of(frozen, given.heads, facts));
}

}  // namespace hone::server
