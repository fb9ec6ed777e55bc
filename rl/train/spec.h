// What a training run is asked to do: typed, with every default stated. Parsed by services/run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "rl/data/conversation.h"
#include "rl/engine/sampling.h"
#include "rl/model/model.h"
#include "rl/ops/matmul.h"
#include "rl/optim/adamw.h"
#include "rl/optim/schedule.h"

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

struct TrainSpec {
  std::string method = "dpo.sigmoid.sum";
  std::filesystem::path base, data, out;
  std::optional<LoraSpec> lora;  ///< none: all weights train
  std::uint64_t seed = 1;

  double learning_rate = 0;      ///< default 1e-6, with LoRA 1e-5
  std::int64_t batch_size = 64;  ///< pairs an optimizer step
  std::int64_t epochs = 1;
  std::optional<std::int64_t> max_steps;  ///< instead of epochs
  Decay schedule = Decay::Cosine;
  double warmup_ratio = 0.1;  ///< of all steps
  double beta = 0.1;
  std::int64_t max_tokens = 1024;         ///< prompt and response together; longer rows are dropped
  std::int64_t micro_batch_tokens = 512;  ///< trunk tokens of one pass: memory, not mathematics
  /// bf16 operands in the blocks' products, f32 masters, moments, norms, attention and head.
  bool bf16 = false;
  /// Keep each block's input alone and compute the rest again: memory for one more forward pass.
  bool activation_checkpointing = false;
  AdamWOptions adamw;

  std::int64_t checkpoint_every_steps = 10;  ///< 0: off
  double checkpoint_every_s = 60;            ///< 0: off
  std::optional<std::filesystem::path> resume_from;

  bool evaluate_held_out = true;
  std::optional<WinRateSpec> win_rate;
  std::string lineage = "{}";  ///< a JSON object, goes into card and manifest as it is
  std::string code_revision;
  int threads = 0;                 ///< 0: what the process has
  std::optional<MatmulPlan> plan;  ///< how to multiply; none: the probe, or the checkpoint's
};

/// Throws Invalid naming the field and its bounds.
void check_spec(const TrainSpec& spec);

/// The run's mathematics as JSON, canonical: equal text, equal run. Paths are not in it.
std::string mathematics_json(const TrainSpec& spec);

}  // namespace hone::rl
