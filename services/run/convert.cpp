#include "services/run/convert.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "feedback/base/error.h"
#include "rl/eval/logit_difference.h"
#include "rl/formats/base.h"
#include "rl/formats/export.h"
#include "rl/formats/files.h"
#include "rl/formats/gguf_export.h"
#include "rl/formats/merge.h"
#include "rl/formats/reward_base.h"
#include "rl/model/lora.h"
#include "rl/ops/matmul.h"
#include "services/run/failures.h"
#include "services/run/loading.h"
#include "services/run/progress.h"
#include "services/shared/signals.h"

namespace hone::run {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Form {
  bool gguf = false;
  std::string type;
  rl::WeightType weights = rl::WeightType::Float32;
  rl::GgmlType ggml = rl::GgmlType::F16;
};

Form form_of(const Arguments& arguments) {
  Form form;
  const auto to = arguments.text("to").value_or("");
  if (to != "hf" && to != "gguf") throw Error(Code::Invalid, "--to takes hf or gguf", "to");
  form.gguf = to == "gguf";
  form.type = arguments.text("type").value_or(form.gguf ? "f16" : "f32");
  if (form.gguf) {
    const auto type = rl::find_gguf_type(form.type);
    if (!type)
      throw Error(Code::Invalid, "--type of a GGUF takes f32, f16, bf16, q8_0, q4_0 or q4_k",
                  "type");
    form.ggml = *type;
  } else if (form.type == "bf16") {
    form.weights = rl::WeightType::BFloat16;
  } else if (form.type == "f16") {
    form.weights = rl::WeightType::Float16;
  } else if (form.type != "f32") {
    throw Error(Code::Invalid, "--type of a Hugging Face folder takes f32, bf16 or f16", "type");
  }
  return form;
}

rl::ModelCard card_of(const rl::Base& base, const Form& form, const Json& record) {
  rl::ModelCard card;
  card.name = base.name;
  const bool merged = record.contains("adapter");
  card.summary = "The weights of " + base.description +
                 (merged ? ", with an adapter merged in," : ", untrained,") + " as " +
                 (form.gguf ? "a GGUF file (" : "a Hugging Face folder (") + form.type + ").";
  card.lineage = record.dump();
  return card;
}

/// What a convert to the same place left when it was killed. A process that lives keeps its own.
void remove_stale_drafts(const fs::path& out) {
  const auto folder = out.has_parent_path() ? out.parent_path() : fs::path(".");
  const auto prefix = out.filename().string() + ".";
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(folder, unreadable)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(".part")) continue;
    const auto pid = name.substr(prefix.size(), name.size() - prefix.size() - 5);
    if (pid.empty() || pid.size() > 9 || pid.find_first_not_of("0123456789") != std::string::npos)
      continue;
    if (::kill(std::stoi(pid), 0) != 0 && errno == ESRCH) fs::remove_all(entry.path());
  }
}

/// A folder beside `out` in which it is made. It goes away with all that is in it.
class Draft {
 public:
  explicit Draft(const fs::path& out) : out_(out), folder_(out) {
    folder_ += "." + std::to_string(::getpid()) + ".part";
    remove_stale_drafts(out);
    drop();
    if (std::error_code failed; !fs::create_directories(folder_, failed))
      throw Error(Code::Busy, folder_.string() + ": cannot be made: " + failed.message());
  }
  ~Draft() { drop(); }
  void drop() const {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  fs::path place() const { return folder_ / out_.filename(); }
  void keep() {
    fs::rename(place(), out_);
    rl::flush_folder(out_.has_parent_path() ? out_.parent_path() : fs::path("."));
  }

 private:
  fs::path out_, folder_;
};

using Texts = std::vector<std::vector<std::int64_t>>;

struct Beside {
  const rl::ModelConfig& config;
  const rl::TensorSource& weights;
  const rl::LoraFile* lora;  // not merged into the weights
};

at::Tensor logits_of(const Beside& beside, const Texts& texts) {
  auto model = rl::load_model(beside.config, beside.weights);
  if (beside.lora != nullptr) rl::add_lora(model, *beside.lora);
  return rl::probe_logits(model, texts);
}

// One model is in memory at a time; what stays of the first are the logits of a few hundred tokens.
Json compare(const Beside& beside, const rl::Tokenizer& tokenizer, const fs::path& written) {
  const auto other = rl::open_base(written, std::nullopt);
  const auto positions = beside.config.max_position_embeddings;
  const auto texts = rl::probe_ids(tokenizer, positions);
  const auto again = rl::probe_ids(*other.tokenizer, positions);
  rl::use_matmul_plan(rl::probe_matmul());
  const auto difference = rl::compare_logits(
      logits_of(beside, texts), logits_of({other.config, *other.weights, nullptr}, texts));
  return {{"tokens", difference.tokens},
          {"same_ids", texts == again},
          {"max_abs_logit", difference.max_abs},
          {"kl", difference.kl},
          {"same_top", difference.same_top}};
}

}  // namespace

int convert(const Arguments& arguments) {
  const auto form = form_of(arguments);
  fs::path out = arguments.places[1];
  if (!out.has_filename()) out = out.parent_path();  // "out/"
  std::vector<fs::path> written = {out};
  if (form.gguf) written.push_back(out.string() + ".json");
  for (const auto& place : written)
    if (fs::exists(fs::symlink_status(place)))
      throw Error(Code::Invalid, place.string() + " is there already; name a place that is free");

  Draft draft(out);
  const shared::StopSignals stop([&] {
    draft.drop();
    ::_exit(kStopped);
  });
  auto base = rl::open_base(arguments.places[0], std::nullopt);
  const auto own = std::move(base.weights);
  std::optional<rl::LoraFile> lora;
  std::unique_ptr<const rl::TensorSource> merged;
  Json record = {{"base", {{"name", base.name}, {"sha256", base.sha256}}}};
  if (const auto adapter = arguments.text("adapter")) {
    lora = rl::read_peft(*adapter, base.config);
    merged = std::make_unique<rl::MergedWeights>(*own, *lora);
    record["adapter"] = {
        {"sha256", rl::sha256_of_file(fs::path(*adapter) / "adapter_model.safetensors")}};
  }
  const auto& weights = merged ? *merged : *own;
  const bool scores = lora && lora->output == rl::Output::Score;
  if (scores) base = rl::reward_base(base);
  record["to"] = {{"form", form.gguf ? "gguf" : "hf"}, {"type", form.type}};

  const auto card = card_of(base, form, record);
  {
    Progress progress("write");
    const auto told = [&](std::int64_t done, std::int64_t total) { progress(done, total); };
    if (form.gguf)
      rl::export_gguf(draft.place(), base, weights, form.ggml, card, told);
    else
      rl::export_hf(draft.place(), base, weights, card, form.weights, told);
  }
  if (arguments.has("no-check")) {
    record["difference_problem"] = "not asked for";
  } else if (const auto problem = memory_problem(base.config); !problem.empty()) {
    record["difference_problem"] = problem;
  } else {
    // A reward adapter's head is no part of what can be added beside: its model is compared merged.
    const bool apart = lora && !scores;
    record["difference"] = compare({base.config, scores ? weights : *own, apart ? &*lora : nullptr},
                                   *base.tokenizer, draft.place());
  }
  const auto text = record.dump(2) + "\n";
  // A GGUF is one file: its record lies beside it.
  if (!form.gguf) rl::write_file(draft.place() / "convert.json", text);
  draft.keep();
  if (form.gguf) rl::write_file(written.back(), text);
  record["written"] = out.string();
  std::cout << record.dump() << '\n';
  return kDone;
}

}  // namespace hone::run
