#include "tests/integration/server/world.h"

#include "storage/artifacts/store.h"
#include "storage/ids.h"
#include "storage/repo/bases.h"

namespace hone::server::test {

Server::Server()
    : process(installation.environment()),
      worker({.conninfo = installation.environment().at("HONE_DATABASE_URL"),
              .role = "hone_worker",
              .size = 2}) {}

Server& Server::the() {
  static Server server;
  return server;
}

World::World()
    : installation_(Server::the().installation),
      server_(Server::the().process),
      worker_(Server::the().worker) {
  static int teams = 0;
  team_ = installation_.make_team("team-" + std::to_string(++teams));
  engineer_ = make_token(storage::Role::Engineer);
  annotator_ = make_token(storage::Role::Annotator);
  reviewer_ = make_token(storage::Role::Reviewer);
  const auto elsewhere = installation_.make_team("elsewhere-" + std::to_string(teams));
  const auto stranger = installation_.make_person(elsewhere, storage::Role::Engineer,
                                                  storage::new_uuid() + "@example.org");
  outsider_ = installation_.make_token(elsewhere, stranger, storage::Role::Engineer);
}

std::string World::make_token(storage::Role role) {
  const auto person = installation_.make_person(team_, role, storage::new_uuid() + "@example.org");
  ++people_;
  return installation_.make_token(team_, person, role);
}

Reply World::get(const std::string& target, const std::string& token) const {
  return server_.request("GET", "/api/v1" + target, "", {{"Authorization", "Bearer " + token}});
}

Reply World::post(const std::string& target, const json& body, const std::string& token,
                  Headers more) const {
  more["Authorization"] = "Bearer " + token;
  return server_.request("POST", "/api/v1" + target, body.dump(), std::move(more));
}

Reply World::patch(const std::string& target, const json& body, const std::string& token) const {
  return server_.request("PATCH", "/api/v1" + target, body.dump(),
                         {{"Authorization", "Bearer " + token}});
}

Reply World::upload(const std::string& target, const std::string& body,
                    const std::string& token) const {
  Headers headers{{"Authorization", "Bearer " + token}, {"Content-Type", "application/jsonl"}};
  if (body.empty()) headers["Content-Length"] = "0";
  return server_.request("POST", "/api/v1" + target, body, std::move(headers));
}

json World::want(int status, const Reply& reply) {
  EXPECT_EQ(reply.status, status) << reply.body;
  return reply.json();
}

std::vector<std::string> World::pointers(int status, const Reply& reply) {
  EXPECT_EQ(reply.status, status) << reply.body;
  std::vector<std::string> out;
  const json body = reply.json();
  if (body.contains("errors"))
    for (const auto& error : body["errors"]) out.push_back(error.value("pointer", ""));
  return out;
}

std::string World::make_project(const json& settings) {
  static int projects = 0;
  const auto made =
      post("/projects", {{"name", "Project " + std::to_string(++projects)}, {"settings", settings}},
           engineer_);
  return want(201, made).value("id", "");
}

json World::counts(const std::string& project) const {
  return want(200, get("/projects/" + project, engineer_))["counts"];
}

json World::import_pairs(const std::string& project, int n, const std::string& query) {
  std::string lines;
  for (int i = 0; i < n; ++i) {
    const auto number = std::to_string(i);
    lines += json{{"prompt", "Question " + number},
                  {"chosen", "Good " + number},
                  {"rejected", "Bad answer " + number}}
                 .dump() +
             "\n";
  }
  return want(201,
              upload("/projects/" + project + "/imports?format=trl" + query, lines, engineer_));
}

std::string World::make_base() {
  if (!base_.empty()) return base_;
  storage::ArtifactStore store(installation_.home() / "store");
  const auto blob = store.put_bytes("not really weights: " + storage::new_uuid());
  base_ = installation_.owner().transact([&](storage::Tx& tx) {
    return storage::insert_base(tx, {.name = "base-" + blob.sha256.substr(0, 8),
                                     .description = "For tests",
                                     .architecture = "llama",
                                     .format = "gguf",
                                     .sha256 = blob.sha256,
                                     .bytes = blob.bytes})
        .id.value;
  });
  return base_;
}

void World::sample(const std::string& project, int n) {
  std::string lines;
  for (int i = 0; i < n; ++i) lines += json{{"prompt", "Ask " + std::to_string(i)}}.dump() + "\n";
  want(201, upload("/projects/" + project + "/imports?split=train", lines, engineer_));
  const auto job =
      want(202, post("/projects/" + project + "/samples", {{"base", make_base()}}, engineer_));
  const JobId id{job.value("id", "")};

  const auto lease = worker_.transact([&](storage::Tx& tx) {
    return storage::claim_job(tx, {.name = "test", .version = "1"}, {"sample"}, id);
  });
  ASSERT_TRUE(lease);
  worker_.transact([&](storage::Tx& tx) {
    storage::advance_job(tx, *lease, "running");
    auto rows = json::array();
    for (const auto& prompt : storage::job_prompts(tx, *lease, {}, 1000))
      for (int index = 0; index < 2; ++index) {
        const std::string text = (index ? "A much longer answer to " : "Answer to ") +
                                 json::parse(prompt.messages)[0]["content"].get<std::string>();
        rows.push_back({{"prompt_id", prompt.id.value},
                        {"index", index},
                        {"messages", json::array({{{"role", "assistant"}, {"content", text}}})},
                        {"sampling", json::object()}});
      }
    storage::record_responses(tx, *lease, rows.dump());
    storage::finish_job(tx, *lease,
                        {.state = "succeeded",
                         .result = R"({"prompts": )" + std::to_string(n) + "}",
                         .error = "",
                         .blame = ""});
  });
}

Headers new_key() { return {{"Idempotency-Key", storage::new_uuid()}}; }

}  // namespace hone::server::test
