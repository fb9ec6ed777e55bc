// A team with one person of each role and a token each, on a real server: what the tests of
// projects, labelling and runs start from. The worker's side is storage's own functions, called as
// a worker calls them.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "storage/repo/leases.h"
#include "tests/integration/server/installation.h"

namespace hone::server::test {

using nlohmann::json;

/// The program's one server: starting one takes longer than a test.
class Server {
 public:
  static Server& the();
  Installation installation;
  ServerProcess process;
  storage::Pool worker;  ///< as a worker's role

 private:
  Server();
};

class World : public testing::Test {
 protected:
  World();  ///< a team of its own for each test

  Reply get(const std::string& target, const std::string& token) const;
  Reply post(const std::string& target, const json& body, const std::string& token,
             Headers more = {}) const;
  Reply patch(const std::string& target, const json& body, const std::string& token) const;
  /// A raw body, as an upload sends it.
  Reply upload(const std::string& target, const std::string& body, const std::string& token) const;
  /// A person of the team with a token of their role.
  std::string make_token(storage::Role role);

  /// The reply's JSON, after checking its status.
  static json want(int status, const Reply& reply);
  /// Pointers of a refusal's errors, after checking its status.
  static std::vector<std::string> pointers(int status, const Reply& reply);

  std::string make_project(const json& settings = json::object());
  json counts(const std::string& project) const;
  /// Imports pairs (prompt, chosen, rejected).
  json import_pairs(const std::string& project, int n, const std::string& query = "");
  /// Comparisons for people: `n` prompts in the training split, two answers each, as a sample job
  /// leaves them.
  void sample(const std::string& project, int n);
  std::string make_base();

  Installation& installation_;
  const ServerProcess& server_;
  storage::Pool& worker_;
  TeamId team_;
  std::string engineer_, annotator_, reviewer_,
      outsider_;      ///< tokens; the last is another team's engineer
  std::string base_;  ///< id, once made

 private:
  int people_ = 0;
};

/// A header with a key of its own.
Headers new_key();

}  // namespace hone::server::test
