#include "rl/train/distillation.h"

#include <ATen/ops/full_like.h>

#include <numeric>

#include "feedback/base/error.h"
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
                                             : Divergence::Jsd;
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
  if (teacher.config.vocab_size != base.config.vocab_size)
    throw Error(Code::Invalid,
                "the teacher's head has another number of rows than the base's: " +
                    std::to_string(teacher.config.vocab_size) + " and " +
                    std::to_string(base.config.vocab_size),
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
      order_(facts_.train, spec.batch_size(), spec.seed_of(Stream::Order)),
      options_(options_of(spec)) {}

std::int64_t DistillationObjective::other_bytes(const ModelConfig&) const {
  return rl::parameters(teacher_base_.config) * 4;
}

bool DistillationObjective::prepare(Model&, const SafetensorsFile*, Observer&) {
  teacher_.emplace(load_model(teacher_base_.config, *teacher_base_.weights,
                              spec_.bf16() ? Held::Rounded : Held::F32));
  if (spec_.bf16()) use_bf16_products(*teacher_);
  return true;
}

std::vector<ShownText> DistillationObjective::show(std::int64_t row) const {
  return {show_demonstration(data_.train[static_cast<std::size_t>(row)])};
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
  const HeadRows teacher{final_rows(*teacher_, packed), teacher_->output().operand()};
  auto& output = model.output();
  const HeadRows student{final_rows(model, packed, &trace), output.operand()};
  DistillTrace head;
  const auto divergence = distill_divergence(student, teacher, options_, &head);  // [N]
  divergence_ += divergence.sum(at::kDouble).item<double>();
  // Of the tokens of the whole step: any split into micro-batches, one gradient.
  const auto share = at::full_like(divergence, 1.0 / static_cast<double>(tokens_));
  const auto dnormed = distill_divergence_backward(share, output.grad, options_, head);
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
  const auto rows = all_rows(data_.held_out.size());
  double divergence = 0;
  std::int64_t done = 0;
  for (const auto& batch : micro_batches(data_.held_out, rows, spec_.micro_batch_tokens())) {
    const auto packed = pack_demonstrations(data_.held_out, batch);
    divergence +=
        distill_divergence({final_rows(model, packed), model.output().operand()},
                           {final_rows(*teacher_, packed), teacher_->output().operand()}, options_)
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
