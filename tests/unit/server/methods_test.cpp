// The catalogue over HTTP: what the form of a run is made of.
#include "services/server/handlers/methods.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "feedback/training/methods.h"

namespace hone::server {
namespace {

using nlohmann::json;

TEST(Methods, AreAllTold) {
  const auto data = json::parse(methods_json())["data"];
  EXPECT_EQ(data.size(), feedback::methods().size());
  std::set<std::string> families;
  for (const auto& method : data) {
    families.insert(method["family"]);
    EXPECT_FALSE(method["formula"].get<std::string>().empty()) << method["name"];
    const auto& settings = method["hyperparameters"]["properties"];
    EXPECT_TRUE(settings.contains("learning_rate")) << method["name"];
    for (const auto& [name, setting] : settings.items()) {
      EXPECT_TRUE(setting.contains("default")) << method["name"] << " " << name;
      EXPECT_FALSE(setting["description"].get<std::string>().empty()) << name;
    }
  }
  EXPECT_EQ(families, (std::set<std::string>{"demonstration", "reward", "preference", "unpaired",
                                             "policy", "distillation"}));
}

}  // namespace
}  // namespace hone::server
