// Projects, prompts, responses, critics, judgments, snapshots: over HTTP.
#include <fmt/format.h>

#include <cstdint>
#include <sstream>

#include "feedback/base/error.h"
#include "services/cli/command.h"
#include "services/cli/follow.h"
#include "services/cli/format.h"
#include "services/cli/remote.h"

namespace hone::cli {

using nlohmann::json;

namespace {

std::string count_of(const json& project, const char* name) {
  const auto counts = project.find("counts");
  if (counts == project.end() || !counts->is_object()) return "";
  return std::to_string(counts->value(name, std::int64_t{0}));
}

/// The job that a POST made: followed when asked, else named.
int finish_job(HttpClient& client, const Args& args, const json& job) {
  const auto id = text_of(job, "id");
  if (!args.has("follow")) {
    if (args.has("json"))
      print_json(job);
    else
      fmt::print("{}\n", id);
    return 0;
  }
  const auto ended = follow(client, "jobs", id);
  if (args.has("json")) print_json(ended);
  return exit_status(ended);
}

}  // namespace

int act_projects_create(const Args& args) {
  auto client = open_client();
  json body{{"name", args.at(0)}};
  if (const auto slug = args.find("slug")) body["slug"] = *slug;
  if (auto guideline = args.find("guideline"))
    body["guideline"] = guideline->starts_with("@") ? read_file(guideline->substr(1)) : *guideline;
  const auto project = client.post("/api/v1/projects", body);
  if (args.has("json"))
    print_json(project);
  else
    fmt::print("{}  {}\n", text_of(project, "id"), text_of(project, "slug"));
  return 0;
}

int act_projects_list(const Args& args) {
  auto client = open_client();
  const auto projects = client.list("/api/v1/projects");
  if (args.has("json")) {
    print_json(projects);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {
      {"slug", "name", "prompts", "held out", "comparisons", "open", "judgments"}};
  for (const auto& p : projects)
    rows.push_back({text_of(p, "slug"), text_of(p, "name"), count_of(p, "prompts"),
                    count_of(p, "held_out_prompts"), count_of(p, "comparisons"),
                    count_of(p, "open"), count_of(p, "judgments")});
  fmt::print("{}", table(rows));
  return 0;
}

int act_projects_import(const Args& args) {
  auto client = open_client();
  std::string path = "/api/v1/projects/" + project_id(client, args.at(0)) +
                     "/imports?format=" + encode(args.value_or("format", "auto")) +
                     "&split=" + encode(args.value_or("split", "auto"));
  if (args.has("dry-run")) path += "&dry_run=true";
  if (args.has("keep-good")) path += "&mode=keep_good";
  const auto made = client.post_file(path, "application/jsonl", args.at(1));
  if (args.has("json")) {
    print_json(made);
    return 0;
  }
  const auto added = made.value("added", json::object());
  fmt::print(
      "{}{} rows ({}): {} prompts, {} responses, {} comparisons, {} judgments, {} answers for "
      "verifiers added; {} there already, {} refused\n",
      args.has("dry-run") ? "would add, of " : "", made.value("rows", 0), text_of(made, "format"),
      added.value("prompts", 0), added.value("responses", 0), added.value("comparisons", 0),
      added.value("judgments", 0), added.value("answers", 0), made.value("duplicates", 0),
      made.value("refused", 0));
  for (const auto& warning : made.value("warnings", json::array()))
    fmt::print("   line {}: {}\n", warning.value("line", 0), text_of(warning, "detail"));
  return 0;
}

int act_sample(const Args& args) {
  auto client = open_client();
  json body{{"base", args.need("base")}};
  if (const auto n = args.integer("responses")) body["responses_per_prompt"] = *n;
  if (const auto n = args.integer("max-tokens")) body["max_tokens"] = *n;
  if (const auto x = args.number("temperature")) body["temperature"] = *x;
  if (const auto x = args.number("top-p")) body["top_p"] = *x;
  if (const auto n = args.integer("top-k")) body["top_k"] = *n;
  if (const auto x = args.number("min-p")) body["min_p"] = *x;
  if (const auto x = args.number("repetition-penalty")) body["repetition_penalty"] = *x;
  if (const auto dtype = args.find("dtype")) body["dtype"] = *dtype;
  if (const auto n = args.integer("seed")) body["seed"] = *n;
  if (const auto split = args.find("split")) body["split"] = *split;
  const auto job =
      client.post("/api/v1/projects/" + project_id(client, args.at(0)) + "/samples", body);
  return finish_job(client, args, job);
}

int act_critic_add(const Args& args) {
  auto client = open_client();
  const auto spec = read_json_file(args.at(2));
  const auto critic = client.post("/api/v1/projects/" + project_id(client, args.at(0)) + "/critics",
                                  {{"name", args.at(1)}, {"spec", spec}});
  if (args.has("json"))
    print_json(critic);
  else
    fmt::print("{}  {} version {}\n", text_of(critic, "id"), text_of(critic, "name"),
               critic.value("version", 1));
  return 0;
}

int act_critic_list(const Args& args) {
  auto client = open_client();
  const auto critics =
      client.list("/api/v1/projects/" + project_id(client, args.at(0)) + "/critics");
  if (args.has("json")) {
    print_json(critics);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"name", "version", "id", "made"}};
  for (const auto& c : critics)
    rows.push_back({text_of(c, "name"), std::to_string(c.value("version", 1)), text_of(c, "id"),
                    text_of(c, "created_at")});
  fmt::print("{}", table(rows));
  return 0;
}

int act_judge(const Args& args) {
  auto client = open_client();
  const auto project = project_id(client, args.at(0));
  const auto job = client.post("/api/v1/projects/" + project + "/judge",
                               {{"critic", critic_id(client, project, args.need("critic"))}});
  return finish_job(client, args, job);
}

int act_snapshot(const Args& args) {
  auto client = open_client();
  json body = json::object();
  if (const auto name = args.find("name")) body["name"] = *name;
  if (const auto kinds = args.find("kinds")) {
    body["kinds"] = json::array();
    std::istringstream in(*kinds);
    for (std::string kind; std::getline(in, kind, ',');) body["kinds"].push_back(kind);
  }
  if (args.has("prompts")) body["contents"] = "prompts";
  const auto snapshot =
      client.post("/api/v1/projects/" + project_id(client, args.at(0)) + "/snapshots", body);
  if (args.has("json")) {
    print_json(snapshot);
    return 0;
  }
  const auto rows = snapshot.value("rows", json::object());
  fmt::print("snapshot {} ({}): {} {}, {} to train on, {} held out, {} ties, root {}\n",
             snapshot.value("number", 0), text_of(snapshot, "id"), rows.value("total", 0),
             args.has("prompts") ? "prompts" : "rows", rows.value("train", 0),
             rows.value("held_out", 0), rows.value("ties", 0),
             text_of(snapshot, "root").substr(0, 12));
  return 0;
}

int act_snapshots_list(const Args& args) {
  auto client = open_client();
  const auto snapshots =
      client.list("/api/v1/projects/" + project_id(client, args.at(0)) + "/snapshots");
  if (args.has("json")) {
    print_json(snapshots);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"number", "name", "rows", "root", "id", "made"}};
  for (const auto& s : snapshots)
    rows.push_back({std::to_string(s.value("number", 0)), text_of(s, "name"),
                    std::to_string(s.value("rows", json::object()).value("total", 0)),
                    text_of(s, "root").substr(0, 12), text_of(s, "id"), text_of(s, "created_at")});
  fmt::print("{}", table(rows));
  return 0;
}

}  // namespace hone::cli
