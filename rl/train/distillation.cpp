#include "rl/train/distillation.h"

#include <ATen/ops/full.h>

#include <numeric>

#include "feedback/base/error.h"
#include "rl/model/distill.h"
#include "rl/model/score.h"
#include "rl/train/demonstration.h"
#include "rl/train/steps.h"

namespace hone::rl {
namespace {

DistillOptions options_of(const TrainSpec& spec) {
  DistillOptions o{.temperature = spec.settings.number("temperature")};
  const auto& name = spec.method->name;
  o.divergence = name == "distill.forward"   ? Divergence::ForwardKl
                 : name == "distill.reverse" ? Divergence::ReverseKl
                                             : Divergence::JensenShannon;
  if (spec.settings.has("mix")) o.beta = spec.settings.number("mix");
  return o;
}

Base open_teacher(const TrainSpec& spec, const Base& base) {
  if (!spec.teacher)
    throw Error(Code::Invalid, "teacher is missing: the base or model that is imitated", "teacher");
  auto teacher = open_base(*spec.teacher);
  if (teacher.tokenizer->to_json() != base.tokenizer->to_json())
    throw Error(Code::Invalid,
                "the teacher has another tokenizer than the base: its distributions are over other "
                "tokens",
                "teacher");
  return teacher;
}

}  // namespace

DistillationObjective::DistillationObjective(const TrainSpec& spec, const Base& base)
    : spec_(spec),
      teacher_base_(open_teacher(spec, base)),
      data_(read_demonstrations(spec.data, text_rules(base),
                                {.max_tokens = longest_tokens(spec, base)})),
      facts_(facts_of(data_)),
      order_(facts_.train, spec.batch_size(), spec.seed),
      options_(options_of(spec)) {}

std::int64_t DistillationObjective::other_bytes(const ModelConfig&) const {
  return rl::parameters(teacher_base_.config) * 4;
}

bool DistillationObjective::prepare(Model&, const SafetensorsFile*, Observer&) {
  teacher_.emplace(load_model(teacher_base_.config, *teacher_base_.weights));
  if (spec_.bf16()) use_bf16_products(*teacher_);
  return true;
}

std::int64_t DistillationObjective::total_steps() const { return steps_of(spec_, order_); }

std::optional<StepPlan> DistillationObjective::begin(Model&, std::int64_t step, Observer&) {
  const auto rows = order_.rows_of(step);
  tokens_ = learnt_tokens(data_.train, rows);
  divergence_ = 0;
  return StepPlan{micro_batches(data_.train, rows, spec_.micro_batch_tokens()),
                  static_cast<std::int64_t>(rows.size()), order_.epochs_after(step + 1)};
}

std::int64_t DistillationObjective::accumulate(Model& model,
                                               const std::vector<std::int64_t>& rows) {
  const auto packed = pack_demonstrations(data_.train, rows);
  ScoreTrace trace;
  trace.trunk.checkpointed = spec_.activation_checkpointing();
  const auto wanted = final_rows(*teacher_, packed);
  const auto normed = final_rows(model, packed, &trace);
  auto& output = model.output();
  at::Tensor dnormed;
  // Of the tokens of the whole step: any split into micro-batches, one gradient.
  const auto share = at::full({normed.size(0)}, 1.0 / static_cast<double>(tokens_), at::kFloat);
  divergence_ += distil_rows(normed, output.value, wanted, teacher_->output().value, options_, share,
                             &dnormed, output.grad)
                     .sum(at::kDouble)
                     .item<double>();
  final_rows_backward(model, packed, dnormed, std::move(trace));
  return packed.ids.size(0);
}

StepResult DistillationObjective::finish() {
  const double loss = divergence_ / static_cast<double>(tokens_);
  return {loss, tokens_, {{"loss", loss}, {"distill/divergence", loss}}};
}

std::optional<HeldOut> DistillationObjective::held_out(Model& model, Observer& observer) {
  HeldOut out{.rows = facts_.held_out, .rows_name = "conversations"};
  if (out.rows == 0) return out;
  std::vector<std::int64_t> rows(data_.held_out.size());
  std::iota(rows.begin(), rows.end(), 0);
  double divergence = 0;
  std::int64_t done = 0;
  for (const auto& batch : micro_batches(data_.held_out, rows, spec_.micro_batch_tokens())) {
    const auto packed = pack_demonstrations(data_.held_out, batch);
    divergence += distil_rows(final_rows(model, packed), model.output().value,
                              final_rows(*teacher_, packed), teacher_->output().value, options_)
                      .sum(at::kDouble)
                      .item<double>();
    observer.progress("evaluate", done += static_cast<std::int64_t>(batch.size()), out.rows, -1);
    if (observer.stop_requested()) return std::nullopt;
  }
  out.values = {{"distill/divergence",
                 divergence / static_cast<double>(learnt_tokens(data_.held_out, rows))}};
  return out;
}

}  // namespace hone::rl
