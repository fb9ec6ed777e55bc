// What a training run is asked to do. Parsed by services/run; methods and their settings are those
// of feedback/training.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "feedback/training/methods.h"
#include "rl/data/conversation.h"
#include "rl/engine/sampling.h"
#include "rl/model/model.h"
#include "rl/ops/matmul.h"
#include "rl/optim/adamw.h"
#include "rl/optim/schedule.h"
#include "rl/random/philox.h"

namespace hone::rl {

/// 1 when the first answer wins, 0 when it loses, 1/2 for a tie.
using JudgeCompare = std::function<double(const std::string& prompt, const std::string& first,
                                          const std::string& second)>;

/// Responses of the trained model against the base's on held-out prompts.
struct WinRateSpec {
  std::filesystem::path prompts;  ///< JSON lines {"id", "messages"}
  JudgeCompare compare;
  std::string judge;  ///< the judge's own spec, canonical JSON, for the record
  SamplingOptions options{.max_tokens = 128, .temperature = 0.7};
  std::uint64_t seed = 7;
};

class Mixture;

/// What drawn answers are worth.
struct RewardUse {
  std::string canonical;  ///< the reward's own spec, for the record
  std::function<Mixture(const TextRules& policy)> make;
  /// The first of its parts that is a reward model, with that part's units: PPO's value network
  /// begins as it.
  std::optional<std::filesystem::path> model = std::nullopt;
  double offset = 0, scale = 1;
};

struct TrainSpec {
  /// The method with its presets; those of an adapter where one is given. Throws Invalid for an
  /// unknown method.
  explicit TrainSpec(std::string_view method = "dpo.sigmoid.sum",
                     std::optional<LoraSpec> adapter = std::nullopt);

  const feedback::Method* method;
  std::optional<LoraSpec> lora;  ///< none: all weights train
  feedback::Settings settings;   ///< of `method`: everything under "hyperparameters"
  std::filesystem::path base, data, out;
  std::uint64_t seed = 1;
  /// What differs from `seed` for one stream alone: first numbers of fresh weights, order of rows,
  /// drawn answers.
  std::optional<std::uint64_t> init_seed, order_seed, sample_seed;
  /// More than one: a job of a run a seed (seeds.h), of which `seed` is the one in work.
  std::vector<std::uint64_t> seeds;

  /// The seed of Init, Order or Sample; of any other stream, the run's own.
  std::uint64_t seed_of(Stream stream) const;
  double learning_rate() const { return settings.number("learning_rate"); }
  std::int64_t batch_size() const { return settings.integer("batch_size"); }
  std::int64_t epochs() const { return settings.integer("epochs"); }
  std::optional<std::int64_t> max_steps() const { return settings.find_integer("max_steps"); }
  Decay schedule() const;
  double warmup_ratio() const { return settings.number("warmup_ratio"); }
  std::int64_t max_tokens() const { return settings.integer("max_tokens"); }
  std::int64_t micro_batch_tokens() const;
  bool bf16() const { return settings.word("dtype") == "bfloat16"; }
  bool activation_checkpointing() const { return settings.flag("activation_checkpointing"); }
  AdamWOptions adamw() const;

  std::int64_t checkpoint_every_steps = 10;  ///< 0: off
  double checkpoint_every_s = 60;            ///< 0: off
  std::optional<std::filesystem::path> resume_from;

  std::optional<RewardUse> reward;               ///< of the policy-gradient methods
  std::optional<RewardUse> gold;                 ///< measured along the way and never trained on
  std::optional<std::filesystem::path> teacher;  ///< of distillation
  std::string teacher_sha256;                    ///< what it is, wherever it lies

  bool evaluate_held_out = true;
  std::optional<WinRateSpec> win_rate;
  /// A guard that trips stops the run with its reason; off: it is told as a warning.
  bool guards_stop = true;
  std::string lineage = "{}";  ///< a JSON object, goes into card and manifest as it is
  std::string code_revision;
  int threads = 0;                   ///< 0: what the process has
  std::optional<MatmulPlan> plan;    ///< how to multiply; none: the probe, or the checkpoint's
  std::optional<double> bf16_ratio;  ///< how many times faster bf16 products are; none: measured
};

/// Throws Invalid naming the field and its bounds, for what no setting's own bounds catch.
void check_spec(const TrainSpec& spec);

/// The run's mathematics as JSON, canonical: equal text, equal run. Paths are not in it.
std::string mathematics_json(const TrainSpec& spec);

}  // namespace hone::rl
