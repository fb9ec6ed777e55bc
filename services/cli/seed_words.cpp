#include "services/cli/seed_words.h"

#include <fmt/format.h>

#include <cstdint>

#include "feedback/base/error.h"

namespace hone::cli {

using nlohmann::json;

namespace {

constexpr std::size_t kDigitsMax = 10;  // 2147483647, the last seed, has as many

std::int64_t whole_number(const std::string& text) {
  if (text.empty() || text.size() > kDigitsMax ||
      text.find_first_not_of("0123456789") != std::string::npos)
    throw Error(Code::Invalid,
                "--seeds takes how many (3) or which (1,5,2), and \"" + text + "\" is no seed");
  return std::stoll(text);
}

std::string figure(const json& value) {
  return value.is_number() ? fmt::format("{:.4g}", value.get<double>()) : std::string("failed");
}

}  // namespace

json seeds_of(const std::string& word) {
  if (word.find(',') == std::string::npos) return whole_number(word);
  auto out = json::array();
  for (std::size_t from = 0; from <= word.size();) {
    const auto comma = std::min(word.find(',', from), word.size());
    out.push_back(whole_number(word.substr(from, comma - from)));
    from = comma + 1;
  }
  return out;
}

std::vector<std::vector<std::string>> seed_rows(const json& seeds) {
  std::vector<std::vector<std::string>> rows = {{"", "mean", "95 % interval"}}, failures;
  // What is measured at the end, where anything is; else the last step's figures.
  const char* part = seeds.at("evaluation").empty() ? "metrics" : "evaluation";
  for (const auto& seed : seeds.at("seeds")) {
    rows[0].push_back("seed " + seed.at("seed").dump());
    if (!seed.value("ok", false))
      failures.push_back(
          {fmt::format("seed {} failed at step {}: {}", seed.at("seed").dump(),
                       seed.value("step", std::int64_t{0}), seed.value("detail", std::string()))});
  }
  for (const auto& [name, of_all] : seeds.at(part).items()) {
    rows.push_back({name, figure(of_all.at("mean")),
                    of_all.contains("low") ? figure(of_all["low"]) + " to " + figure(of_all["high"])
                                           : std::string("of one seed: none")});
    for (const auto& seed : seeds.at("seeds"))
      rows.back().push_back(figure(seed.value(part, json::object()).value(name, json(nullptr))));
  }
  rows.insert(rows.end(), failures.begin(), failures.end());
  return rows;
}

}  // namespace hone::cli
