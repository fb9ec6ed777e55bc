// What one method does in a step: the seam between the loop, which is the same for all (loop.h),
// and the methods (sft, reward, preference, unpaired, policy, distillation: one file each).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rl/eval/intervals.h"
#include "rl/formats/base.h"
#include "rl/formats/safetensors.h"
#include "rl/model/model.h"
#include "rl/train/observer.h"
#include "rl/train/spec.h"

namespace hone::rl {

/// The passes of one optimizer step.
struct StepPlan {
  std::vector<std::vector<std::int64_t>> micro_batches;  ///< row numbers, the method's own
  std::int64_t rows = 0;
  double epochs = 0;  ///< through the training rows, after this step
};

/// What a step's passes came to: sums over the whole step, divided once.
struct StepResult {
  double loss = 0;
  std::int64_t loss_tokens = 0;
  Values values;  ///< the method's metrics, "loss" first
};

/// The trained model on rows that were held out.
struct HeldOut {
  std::int64_t rows = 0;
  std::string rows_name = "pairs";      ///< what they are
  std::optional<double> accuracy = {};  ///< of ranking pairs
  Interval interval = {};               ///< Wilson, of the accuracy
  Values values = {};                   ///< under the names of training metrics
};

/// What a run's data came to, for log, manifest and card.
struct DataFacts {
  std::string sha256;
  std::string rows_name;  ///< "preference pairs"
  std::int64_t train = 0, held_out = 0;
  /// Rows left out or changed, each with its reason: "ties", "too_long", ...
  std::vector<std::pair<std::string, std::int64_t>> counts;
  std::int64_t dropped = 0, cut = 0, boundary_merges = 0;
  std::int64_t longest = 0;  ///< trunk tokens of the longest row
  /// Of all training rows once: tokens that the trunk sees, and those that the loss sees. Of
  /// prompts alone where answers are still to be drawn.
  std::int64_t tokens = 0, loss_tokens = 0;
  /// Held-out rows whose prompt is trained on too, and the line of the first.
  std::int64_t leaked_prompts = 0, leaked_line = 0;
};

/// What a token is to the loss.
enum class Mark {
  Given,    ///< the prompt
  Learnt,   ///< of an answer that becomes likelier, or of the better one
  Against,  ///< of an answer that becomes less likely, or of the worse one
  Masked,   ///< behind the prompt, and the loss does not see it
};

/// One text of a row as training sees it.
struct ShownText {
  std::string what;  ///< "chosen"
  std::int64_t line = 0;
  Ids ids;
  std::vector<Mark> marks;  ///< as many
};
ShownText shown(std::string what, std::int64_t line, const Ids& prompt, const Ids& answer,
                Mark mark);

class Objective {
 public:
  virtual ~Objective() = default;

  virtual const DataFacts& facts() const = 0;
  /// A training row, token by token.
  virtual std::vector<ShownText> show(std::int64_t /*row*/) const { return {}; }
  /// The base as this method trains it, without adapter or gradients.
  virtual Model load(const Base& base) const { return load_model(base.config, *base.weights); }
  /// What trains beside the model, under the same optimizer.
  virtual std::vector<NamedWeight> parameters() { return {}; }
  /// Bytes beside those that every run needs: other models, their optimizers, caches.
  virtual std::int64_t other_bytes(const ModelConfig&) const { return 0; }
  /// What must be known before the first step, computed or taken from a checkpoint's tensors.
  /// False: told to stop.
  virtual bool prepare(Model& model, const SafetensorsFile* checkpoint, Observer& observer) = 0;
  virtual std::int64_t total_steps() const = 0;

  /// The step's rows, and whatever must be known of all of them before the first pass. nullopt:
  /// told to stop.
  virtual std::optional<StepPlan> begin(Model& model, std::int64_t step, Observer& observer) = 0;
  /// Forward and backward of one micro-batch: adds to gradients and to the step's sums. Trunk
  /// tokens.
  virtual std::int64_t accumulate(Model& model, const std::vector<std::int64_t>& rows) = 0;
  virtual StepResult finish() = 0;
  /// After the optimizer's step, with its rate as a share of the peak: other networks take theirs.
  virtual void stepped(Model&, double /*share*/) {}

  /// Goes into every checkpoint beside weights and optimizer; prepare() gets it back.
  virtual NamedTensors state() const { return {}; }

  /// Held-out rows under the trained model; rows = 0 where there are none. nullopt: told to stop.
  virtual std::optional<HeldOut> held_out(Model& model, Observer& observer) = 0;
  /// True: it answers prompts, and a win rate against its base means something.
  virtual bool generates() const { return true; }
  /// Files for out/hone that only this method has.
  virtual void leave(const std::filesystem::path& /*hone*/) const {}
};

/// Reads the spec's data; Invalid for what is wrong with it.
std::unique_ptr<Objective> make_objective(const TrainSpec& spec, const Base& base);

}  // namespace hone::rl
