// hone bases: open-weight models, hashed into the artifact store and registered for every team.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/cli/command.h"
#include "services/cli/console.h"
#include "services/cli/format.h"
#include "services/cli/program.h"
#include "storage/artifacts/store.h"
#include "storage/repo/audit.h"
#include "storage/repo/bases.h"

namespace hone::cli {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// hone-run reads the model as a run would, so what it accepts here will load there: format,
/// shapes, tokenizer and chat template. Throws Error{Invalid} with its complaint.
json inspect(const shared::Config& config, const fs::path& path) {
  const auto ran = run_program(config.run, {"inspect", path.string()});
  if (ran.status != 0) {
    auto said = ran.err;
    const auto error = json::parse(
        said.substr(said.find('{') == std::string::npos ? 0 : said.find('{')), nullptr, false);
    if (error.is_object() && error.contains("error") && error["error"].is_object())
      said = error["error"].value("detail", said);
    if (said.starts_with("hone-run: ")) said.erase(0, 10);
    while (said.ends_with('\n')) said.pop_back();
    throw Error(Code::Invalid, said.empty() ? fmt::format("hone-run could not read {} (status {})",
                                                          path.string(), ran.status)
                                            : said);
  }
  auto described = json::parse(ran.out, nullptr, false);
  if (!described.is_object())
    throw Error(Code::Invalid, "hone-run said nothing that can be read about " + path.string());
  return described;
}

storage::Blob keep(storage::ArtifactStore& store, const fs::path& file) {
  const auto size = static_cast<std::int64_t>(fs::file_size(file));
  if (size > 1'000'000)
    fmt::print(stderr, "   storing {} ({})\n", file.filename().string(), spell_bytes(size));
  return store.put_file(file);
}

/// A Hugging Face directory's own files: weights, settings, tokenizer, licence. Not its pickles
/// (they can execute), and not other frameworks' weights.
bool belongs(const fs::path& file) {
  const auto name = file.filename().string();
  if (name.starts_with(".")) return false;
  const auto ends = {".safetensors", ".json", ".jinja", ".txt", ".md", ".model"};
  if (std::any_of(ends.begin(), ends.end(), [&](const char* end) { return name.ends_with(end); }))
    return true;
  return name.starts_with("LICENSE") || name.starts_with("NOTICE");
}

/// One artifact a file, and a manifest that lists them by path.
storage::Blob keep_directory(storage::ArtifactStore& store, const fs::path& folder,
                             std::int64_t& bytes) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && belongs(entry.path())) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  json manifest{{"files", json::array()}};
  for (const auto& file : files) {
    const auto blob = keep(store, file);
    bytes += blob.bytes;
    manifest["files"].push_back(
        {{"path", file.filename().string()}, {"sha256", blob.sha256}, {"bytes", blob.bytes}});
  }
  return store.put_bytes(manifest.dump());
}

json to_json(const storage::Base& base) {
  return {{"id", base.id.value},
          {"name", base.name},
          {"description", base.description},
          {"architecture", base.architecture},
          {"format", base.format},
          {"sha256", base.sha256},
          {"bytes", base.bytes},
          {"created_at", base.created_at}};
}

}  // namespace

int act_bases_add(const Args& args) {
  const auto& name = args.at(0);
  const fs::path path = args.at(1);
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  };
  if (name.empty() || name.size() > 100 || !std::all_of(name.begin(), name.end(), allowed))
    throw Error(Code::Invalid,
                "a base's name is made of letters, digits, '-', '_' and '.', at most 100 of them");
  const bool directory = fs::is_directory(path);
  if (!fs::exists(path)) throw Error(Code::NotFound, "there is nothing at " + path.string());
  if (directory && !fs::exists(path / "config.json"))
    throw Error(
        Code::Invalid,
        path.string() + " is a directory without config.json: not a Hugging Face model directory");
  if (!directory && path.extension() != ".gguf")
    throw Error(Code::Invalid,
                path.string() + " is neither a .gguf file nor a Hugging Face model directory");

  const auto config = console_config();
  const auto described = inspect(config, fs::absolute(path));
  storage::ArtifactStore store(config.store());
  storage::NewBase given;
  given.name = name;
  given.description = described.value("description", std::string());
  given.format = directory ? "hf" : "gguf";
  const auto model = described.find("config");
  given.architecture = model != described.end() && model->is_object()
                           ? model->value("model_type", std::string("llama"))
                           : "llama";
  const auto blob = directory ? keep_directory(store, path, given.bytes) : keep(store, path);
  given.sha256 = blob.sha256;
  if (!directory) given.bytes = blob.bytes;

  auto pool = open_pool(config);
  const auto insert = [&](storage::Tx& tx) {
    auto base = storage::insert_base(tx, given);
    storage::AuditEntry entry;
    entry.actor_kind = "console";
    entry.action = "base.add";
    entry.object_kind = "base";
    entry.object_id = base.id.value;
    storage::insert_audit(tx, entry);
    return base;
  };
  const auto base = pool.transact(insert);
  if (args.has("json"))
    print_json(to_json(base));
  else
    fmt::print("{}: {}, {}, sha256 {}\n", base.name, base.description, spell_bytes(base.bytes),
               base.sha256);
  return 0;
}

int act_bases_list(const Args& args) {
  auto pool = open_pool(console_config());
  const auto list = [](storage::Tx& tx) { return storage::list_bases(tx); };
  json out = json::array();
  std::vector<std::vector<std::string>> rows = {{"name", "what", "size", "sha256"}};
  for (const auto& base : pool.transact(list)) {
    out.push_back(to_json(base));
    rows.push_back(
        {base.name, base.description, spell_bytes(base.bytes), base.sha256.substr(0, 12)});
  }
  if (args.has("json"))
    print_json(out);
  else
    fmt::print("{}", table(rows));
  return 0;
}

}  // namespace hone::cli
