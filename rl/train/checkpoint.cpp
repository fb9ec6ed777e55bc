#include "rl/train/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/formats/files.h"
#include "rl/formats/json.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int kFormat = 1;
constexpr std::size_t kKept = 2;
constexpr std::uint64_t kSmallFile = 256 << 20;
constexpr const char* kFiles[] = {"model.safetensors", "metrics.jsonl", "state.json"};

std::string step_name(std::int64_t step) {
  const auto digits = std::to_string(step);
  return "step-" + std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits;
}

/// Steps of a checkpoint folder's name; -1 for any other name.
std::int64_t step_of(const fs::path& path) {
  const auto name = path.filename().string();
  if (name.size() < 11 || name.compare(0, 5, "step-") != 0) return -1;
  const auto digits = name.substr(5);
  if (digits.size() > 18 ||
      !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return -1;
  return std::stoll(digits);
}

/// Checkpoint folders, newest first.
std::vector<fs::path> all_in(const fs::path& checkpoints) {
  std::vector<fs::path> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(checkpoints, ignored))
    if (entry.is_directory() && step_of(entry.path()) >= 0) out.push_back(entry.path());
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return step_of(a) > step_of(b); });
  return out;
}

std::string state_json(const CheckpointState& s) {
  nlohmann::ordered_json json = {{"format", kFormat},
                                 {"step", s.step},
                                 {"optimizer_steps", s.optimizer_steps},
                                 {"tokens", s.tokens},
                                 {"train_s", s.train_s},
                                 {"data_sha256", s.identity.data_sha256},
                                 {"base_sha256", s.identity.base_sha256},
                                 {"matmul",
                                  {{"cuda", s.plan.cuda},
                                   {"onednn", s.plan.onednn},
                                   {"direct_rows", s.plan.direct_rows},
                                   {"threads", s.plan.threads}}},
                                 {"bf16_ratio", s.bf16_ratio},
                                 {"revision", s.revision}};
  json["spec"] = nlohmann::ordered_json::parse(s.identity.mathematics);
  return json.dump(2) + "\n";
}

CheckpointState state_from(const fs::path& file) {
  const auto label = file.string();
  const auto text = read_file(file, kSmallFile);
  const auto json = parse_json(text, label);
  const JsonObject o(json, label);
  if (o.integer("format") != kFormat) o.refuse("format", "is of another version of this program");
  CheckpointState s;
  s.step = o.integer("step");
  s.optimizer_steps = o.integer("optimizer_steps");
  s.tokens = o.integer("tokens");
  s.train_s = o.find_number("train_s").value_or(0);
  s.identity.data_sha256 = o.text("data_sha256");
  s.identity.base_sha256 = o.text("base_sha256");
  // Keys stay in the order they were written in, so that equal specs are equal texts.
  s.identity.mathematics = nlohmann::ordered_json::parse(text).at("spec").dump();
  s.revision = o.text("revision");
  s.bf16_ratio = o.find_number("bf16_ratio").value_or(0);
  const auto plan = o.object("matmul");
  s.plan = {plan.flag("onednn", false), plan.integer("direct_rows"),
            static_cast<int>(plan.integer("threads")), plan.flag("cuda", false)};
  return s;
}

/// The first path in which two JSON values differ.
std::string first_difference(const Json& a, const Json& b, const std::string& at) {
  if (a.is_object() && b.is_object()) {
    for (const auto& [key, value] : a.items()) {
      const auto path = at.empty() ? key : at + "." + key;
      if (!b.contains(key)) return path;
      const auto found = first_difference(value, b.at(key), path);
      if (!found.empty()) return found;
    }
    for (const auto& [key, value] : b.items())
      if (!a.contains(key)) return at.empty() ? key : at + "." + key;
    return "";
  }
  return a == b ? "" : at;
}

}  // namespace

fs::path save_checkpoint(const fs::path& checkpoints, const CheckpointState& state,
                         const NamedTensors& tensors, const fs::path& metrics) {
  fs::create_directories(checkpoints);
  const auto final_path = checkpoints / step_name(state.step);
  const auto temporary =
      checkpoints / (".tmp-" + step_name(state.step) + "-" + std::to_string(::getpid()));
  fs::remove_all(temporary);
  fs::create_directory(temporary);
  write_safetensors(temporary / "model.safetensors", tensors);
  write_file(temporary / "metrics.jsonl",
             fs::exists(metrics) ? read_file(metrics, kSmallFile) : std::string());
  write_file(temporary / "state.json", state_json(state));
  nlohmann::ordered_json manifest;
  for (const char* name : kFiles)
    manifest["files"][name] = {{"sha256", sha256_of_file(temporary / name)},
                               {"bytes", fs::file_size(temporary / name)}};
  write_file(temporary / "manifest.json", manifest.dump(2) + "\n");
  flush_folder(temporary);
  fs::remove_all(final_path);  // of an attempt that was killed after this very step
  fs::rename(temporary, final_path);
  flush_folder(checkpoints);

  const auto all = all_in(checkpoints);
  for (std::size_t i = kKept; i < all.size(); ++i) fs::remove_all(all[i]);
  for (const auto& entry : fs::directory_iterator(checkpoints))
    if (entry.path().filename().string().starts_with(".tmp-")) fs::remove_all(entry.path());
  return final_path;
}

Checkpoint open_checkpoint(const fs::path& path) {
  if (!fs::is_directory(path))
    throw Error(Code::NotFound, "there is no checkpoint " + path.string(), "resume_from");
  const auto label = (path / "manifest.json").string();
  const auto manifest = parse_json(read_file(path / "manifest.json", kSmallFile), label);
  const auto files = JsonObject(manifest, label).object("files");
  for (const char* name : kFiles) {
    const auto entry = files.object(name);
    const auto file = path / name;
    if (!fs::is_regular_file(file))
      throw Error(Code::Invalid, file.string() + " is missing", "resume_from");
    if (static_cast<std::int64_t>(fs::file_size(file)) != entry.integer("bytes") ||
        sha256_of_file(file) != entry.text("sha256"))
      throw Error(Code::Invalid, file.string() + " is damaged: its hash is not the manifest's",
                  "resume_from");
  }
  return {path, state_from(path / "state.json")};
}

Checkpoint open_checkpoint_or_earlier(const fs::path& path,
                                      const std::function<void(const std::string&)>& tell) {
  try {
    return open_checkpoint(path);
  } catch (const Error& first) {
    const auto folder = path.has_filename() ? path : path.parent_path();
    for (const auto& other : all_in(folder.parent_path())) {
      if (step_of(other) >= step_of(folder)) continue;
      try {
        auto found = open_checkpoint(other);
        tell(first.detail() + "; going on from " + other.filename().string());
        return found;
      } catch (const Error& e) {
        tell(e.detail());
      }
    }
    throw;
  }
}

void check_same_run(const RunIdentity& checkpoint, const RunIdentity& run) {
  const auto refuse = [](const std::string& field) {
    throw Error(Code::Invalid,
                "the checkpoint is of another run: " + field +
                    " differs. Start anew, or give the run's own " + field,
                field);
  };
  if (checkpoint.mathematics != run.mathematics) {
    const auto field =
        first_difference(Json::parse(checkpoint.mathematics), Json::parse(run.mathematics), "");
    refuse(field.empty() ? "spec" : field);
  }
  if (checkpoint.data_sha256 != run.data_sha256) refuse("data");
  if (checkpoint.base_sha256 != run.base_sha256) refuse("base");
}

}  // namespace hone::rl
