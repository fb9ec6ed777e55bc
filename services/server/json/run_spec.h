// The body of POST /runs, with every default written out: what is kept as the run's spec, shown on
// its page, and carried out. Defaults and bounds of hyperparameters are those of feedback/training.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hone::server {

/// Seeds of one source of chance alone: of fresh weights, of the rows' order, of drawn answers.
inline constexpr std::array kSeedsApart{"init_seed", "order_seed", "sample_seed"};

struct RunAsked {
  std::string project;   ///< id or slug
  std::string base;      ///< name or id
  std::string snapshot;  ///< id or "latest"
  std::string method;
  std::optional<std::string> model;  ///< empty: the project's slug, and "-reward" of a reward model
  std::int64_t seed = 0;             ///< the first one
  std::vector<std::int64_t> seeds;   ///< of a run of several, in their order; empty: of one
  /// Those of kSeedsApart that were given: the same in every run of several.
  nlohmann::json seeds_apart = nlohmann::json::object();
  nlohmann::json adapter;          ///< "none" or {"type","rank","alpha","targets"}
  nlohmann::json hyperparameters;  ///< all of them
  nlohmann::json
      evaluation;  ///< null, or {"held_out_pairs","critic","max_tokens","temperature","seed"}
  nlohmann::json reward, gold;         ///< lists (see reward_asked.h); null where there is none
  std::set<std::string> ones;          ///< those of the two that were given as one, without a list
  std::optional<std::string> teacher;  ///< a base's name or id, or a version's id
  /// checkpoint_every_steps and checkpoint_every_s where they were given; 0 = off. They change when
  /// a run can be resumed from, and nothing of what it computes.
  nlohmann::json checkpoints = nlohmann::json::object();
};

/// Throws Invalid with the JSON pointer of the first thing that is wrong: an unknown key, a value
/// outside its bounds, a reward or teacher that is missing or has no use. "seeds" is a list, or how
/// many from "seed" on; one of them is a run like any other. `draw` gives a seed when none is
/// named.
RunAsked parse_run(const nlohmann::json& body, const std::function<std::int64_t()>& draw);

}  // namespace hone::server
