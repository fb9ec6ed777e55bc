// Runs, jobs, models: over HTTP.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <utility>

#include "feedback/base/error.h"
#include "services/cli/command.h"
#include "services/cli/follow.h"
#include "services/cli/format.h"
#include "services/cli/remote.h"
#include "services/cli/reward_words.h"
#include "services/cli/seed_words.h"
#include "storage/artifacts/sha256.h"

namespace hone::cli {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// `learning_rate=1e-5` into a JSON object; a value that is JSON is taken as such, else as text.
void set_value(json& object, const std::string& assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Error(Code::Invalid, "--set takes NAME=VALUE, not \"" + assignment + "\"");
  const auto text = assignment.substr(equals + 1);
  auto value = json::parse(text, nullptr, false);
  object[assignment.substr(0, equals)] = value.is_discarded() ? json(text) : value;
}

/// The body of POST /runs: the file first, then what was given on the line.
json run_body(HttpClient& client, const Args& args) {
  auto body = args.positional().empty() ? json::object() : read_json_file(args.at(0));
  if (!body.is_object()) throw Error(Code::Invalid, args.at(0) + " does not hold a JSON object");
  for (const char* name : {"project", "base", "snapshot", "model", "method"})
    if (const auto given = args.find(name)) body[name] = *given;
  if (!body.contains("method")) body["method"] = "dpo.sigmoid.sum";
  if (!body.contains("snapshot")) body["snapshot"] = "latest";
  for (const char* name : {"project", "base"})
    if (!body.contains(name))
      throw Error(Code::Invalid, fmt::format("--{} is needed (or \"{}\" in the spec)", name, name));
  body["project"] = project_id(client, body["project"].get<std::string>());
  if (const auto adapter = args.find("adapter")) {
    const auto parsed = json::parse(*adapter, nullptr, false);
    body["adapter"] = parsed.is_object() ? parsed : json(*adapter);
  }
  for (const auto& [option, name] :
       {std::pair{"seed", "seed"}, std::pair{"init-seed", "init_seed"},
        std::pair{"order-seed", "order_seed"}, std::pair{"sample-seed", "sample_seed"}})
    if (const auto seed = args.integer(option)) body[name] = *seed;
  if (const auto seeds = args.find("seeds")) body["seeds"] = seeds_of(*seeds);
  for (const char* name : {"reward", "gold"}) {
    auto parts = json::array();
    for (const auto& word : args.all(name))
      parts.push_back(reward_of(client, body["project"], word));
    if (!parts.empty()) body[name] = parts;
  }
  if (const auto teacher = args.find("teacher"))
    body["teacher"] =
        teacher->find('/') == std::string::npos ? *teacher : version_id(client, *teacher);
  for (const auto& assignment : args.all("set")) set_value(body["hyperparameters"], assignment);
  if (const auto critic = args.find("critic")) body["evaluation"]["critic"] = *critic;
  if (body.contains("evaluation") && body["evaluation"].is_object() &&
      body["evaluation"].contains("critic") && body["evaluation"]["critic"].is_string())
    body["evaluation"]["critic"] = critic_id(client, body["project"], body["evaluation"]["critic"]);
  return body;
}

/// What became of a run that was followed; of several seeds, what they come to together.
int tell_end(const Args& args, const json& ended) {
  if (args.has("json")) {
    print_json(ended);
  } else if (const json::json_pointer at("/result/seeds"); ended.contains(at)) {
    fmt::print("{}", table(seed_rows(ended[at])));
  }
  return exit_status(ended);
}

/// "path?project=ID&kind=..." with the project when one is named.
std::string with_project(HttpClient& client, const Args& args, const std::string& path) {
  if (args.positional().empty()) return path;
  return path + "?project=" + project_id(client, args.at(0));
}

std::string progress_text(const json& item) {
  ProgressLine line;
  if (const auto progress = item.find("progress"); progress != item.end())
    line.take("progress", *progress);
  return line.stage().empty() ? "" : line.text();
}

/// The version asked for, or the latest.
std::string version_path(HttpClient& client, const Args& args, std::string& number) {
  const auto model = "/api/v1/models/" + encode(args.at(0));
  number = args.at_or_none(1).value_or("");
  if (number.empty()) {
    const auto found = client.get(model);
    const auto latest = found.find("latest_version");
    if (latest == found.end() || !latest->is_number())
      throw Error(Code::NotFound, "model " + args.at(0) + " has no version yet");
    number = std::to_string(latest->get<std::int64_t>());
  }
  return model + "/versions/" + encode(number);
}

/// Paths come from a server: they must stay below the folder they are written to.
void check_relative(const fs::path& path) {
  for (const auto& part : path)
    if (part == ".." || part == "/" || path.is_absolute())
      throw Error(Code::Invalid, "the server named a file outside the folder: " + path.string());
}

}  // namespace

int act_run_start(const Args& args) {
  auto client = open_client();
  const auto run = client.post("/api/v1/runs", run_body(client, args));
  const auto id = text_of(run, "id");
  if (!args.has("follow")) {
    if (args.has("json"))
      print_json(run);
    else
      fmt::print("{}\n", id);
    return 0;
  }
  fmt::print(stderr, "   run {}  ({}/#/runs/{})\n", id, client.url(), id);
  return tell_end(args, follow(client, "runs", id));
}

int act_run_follow(const Args& args) {
  auto client = open_client();
  return tell_end(args, follow(client, "runs", args.at(0)));
}

int act_run_show(const Args& args) {
  auto client = open_client();
  print_json(client.get("/api/v1/runs/" + encode(args.at(0))));
  return 0;
}

int act_run_cancel(const Args& args) {
  auto client = open_client();
  const auto run = client.post("/api/v1/runs/" + encode(args.at(0)) + "/cancel", json::object());
  fmt::print("{}\n", text_of(run, "state"));
  return 0;
}

int act_run_list(const Args& args) {
  auto client = open_client();
  const auto runs = client.list(with_project(client, args, "/api/v1/runs"));
  if (args.has("json")) {
    print_json(runs);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"run", "model", "state", "progress", "made"}};
  for (const auto& r : runs)
    rows.push_back({text_of(r, "id"), text_of(r, "model"), text_of(r, "state"), progress_text(r),
                    text_of(r, "created_at")});
  fmt::print("{}", table(rows));
  return 0;
}

int act_job_follow(const Args& args) {
  auto client = open_client();
  const auto ended = follow(client, "jobs", args.at(0));
  if (args.has("json")) print_json(ended);
  return exit_status(ended);
}

int act_job_cancel(const Args& args) {
  auto client = open_client();
  const auto job = client.post("/api/v1/jobs/" + encode(args.at(0)) + "/cancel", json::object());
  fmt::print("{}\n", text_of(job, "state"));
  return 0;
}

int act_job_list(const Args& args) {
  auto client = open_client();
  const auto jobs = client.list(with_project(client, args, "/api/v1/jobs"));
  if (args.has("json")) {
    print_json(jobs);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"job", "kind", "state", "progress", "made"}};
  for (const auto& j : jobs)
    rows.push_back({text_of(j, "id"), text_of(j, "kind"), text_of(j, "state"), progress_text(j),
                    text_of(j, "created_at")});
  fmt::print("{}", table(rows));
  return 0;
}

int act_models_list(const Args& args) {
  auto client = open_client();
  const auto models = client.list("/api/v1/models");
  if (args.has("json")) {
    print_json(models);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"model", "task", "latest version", "made"}};
  for (const auto& m : models) {
    const auto latest = m.find("latest_version");
    rows.push_back({text_of(m, "name"), text_of(m, "task"),
                    latest != m.end() && latest->is_number()
                        ? std::to_string(latest->get<std::int64_t>())
                        : "none",
                    text_of(m, "created_at")});
  }
  fmt::print("{}", table(rows));
  return 0;
}

int act_models_show(const Args& args) {
  auto client = open_client();
  std::string number;
  const auto version = client.get(version_path(client, args, number));
  if (args.has("json")) {
    print_json(version);
    return 0;
  }
  const auto& spec = version.at("spec");
  std::vector<std::vector<std::string>> rows = {
      {text_of(version, "model") + " version " + number, text_of(version, "task") + " model"},
      {"method", spec.is_object() ? text_of(spec, "method") : ""},
      {"base", text_of(version.at("base"), "name")},
      {"snapshot", "#" + version.at("snapshot").at("number").dump()},
      {"made", text_of(version, "created_at")}};
  for (const char* name : {"reward", "gold"})
    if (spec.is_object() && spec.contains(name))
      for (const auto& part : spec[name])
        rows.push_back({name, part.contains("label") ? text_of(part, "label") : part.dump()});
  for (auto& row : evaluation_rows(version.value("evaluation", json())))
    rows.push_back(std::move(row));
  fmt::print("{}", table(rows));
  return 0;
}

int act_models_download(const Args& args) {
  auto client = open_client();
  std::string number;
  const auto path = version_path(client, args, number);
  const auto version = client.get(path);
  const auto folder = args.find("folder");
  const fs::path to = args.value_or("to", args.at(0) + "-" + number);
  const bool terminal = isatty(STDERR_FILENO) == 1;
  int fetched = 0;
  for (const auto& file : version.at("files")) {
    const fs::path name = text_of(file, "path");
    check_relative(name);
    if (folder && (name.empty() || *name.begin() != *folder)) continue;
    const auto target = to / name;
    fs::create_directories(target.parent_path());
    std::string encoded;
    for (const auto& part : name) encoded += "/" + encode(part.string());
    const auto show = [&](std::int64_t now, std::int64_t total) {
      if (terminal && total > 0)
        fmt::print(stderr, "\r\x1b[K   {}  {} of {}", name.string(), spell_bytes(now),
                   spell_bytes(total));
    };
    client.download(path + "/files" + encoded, target, show);
    if (storage::sha256_file_hex(target) != text_of(file, "sha256"))
      throw Error(
          Code::Invalid,
          target.string() + " is not what was published (its sha256 differs); fetch it again");
    fmt::print(stderr, "{}   {}  {}\n", terminal ? "\r\x1b[K" : "", target.string(),
               spell_bytes(file.value("bytes", std::int64_t{0})));
    ++fetched;
  }
  if (fetched == 0)
    throw Error(Code::NotFound, fmt::format("version {} of {} has no folder \"{}\"", number,
                                            args.at(0), folder.value_or("")));
  fmt::print("{}\n", to.string());
  return 0;
}

}  // namespace hone::cli
