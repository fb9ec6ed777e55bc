#include "rl/train/reference.h"

#include <ATen/ops/empty.h>

#include <filesystem>

#include "feedback/base/error.h"
#include "rl/data/batches.h"
#include "rl/formats/files.h"
#include "rl/ops/matmul.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;

fs::path cache_of(const TrainSpec& spec) { return spec.out / "reference.safetensors"; }

std::string key_of(const TrainSpec& spec, const std::string& base_sha256, const PairData& data) {
  const auto& plan = matmul_plan();
  return sha256_of(base_sha256 + "\n" + data.sha256 + "\n" + std::to_string(spec.max_tokens()) +
                   "\n" + std::to_string(spec.micro_batch_tokens()) + "\n" + spec.code_revision +
                   "\n" + std::to_string(plan.onednn) + " " + std::to_string(plan.direct_rows) +
                   " " + std::to_string(plan.threads) + (spec.bf16() ? " bf16" : " f32") +
                   (plan.cuda ? " cuda" : ""));
}

References from(const SafetensorsFile& file) {
  return {{file.read("reference.train.chosen"), file.read("reference.train.rejected")},
          {file.read("reference.held_out.chosen"), file.read("reference.held_out.rejected")}};
}

}  // namespace

NamedTensors References::tensors() const {
  return {{"reference.train.chosen", train.chosen},
          {"reference.train.rejected", train.rejected},
          {"reference.held_out.chosen", held_out.chosen},
          {"reference.held_out.rejected", held_out.rejected}};
}

ReferenceLogps score_pairs(const Model& model, const std::vector<Pair>& pairs,
                           std::int64_t micro_batch_tokens,
                           const std::function<bool(std::int64_t done)>& each) {
  const auto n = static_cast<std::int64_t>(pairs.size());
  ReferenceLogps out{at::empty({n}, at::kFloat), at::empty({n}, at::kFloat)};
  std::int64_t done = 0;
  for (const auto& batch : micro_batches(pairs, all_rows(pairs.size()), micro_batch_tokens)) {
    const auto packed = pack(groups_of(pairs, batch));
    const auto sums = sum_by_response(response_logprobs(model, packed),
                                      packed);  // [2B]: chosen, rejected in turn
    for (std::size_t i = 0; i < batch.size(); ++i) {
      out.chosen.data_ptr<float>()[batch[i]] = sums.data_ptr<float>()[2 * i];
      out.rejected.data_ptr<float>()[batch[i]] = sums.data_ptr<float>()[2 * i + 1];
    }
    done += static_cast<std::int64_t>(batch.size());
    if (each && each(done)) return {};
  }
  return out;
}

std::optional<References> kept_references(const TrainSpec& spec, const std::string& base_sha256,
                                          const PairData& data, const SafetensorsFile* checkpoint) {
  if (checkpoint) return from(*checkpoint);
  if (!fs::exists(cache_of(spec))) return std::nullopt;
  try {
    const SafetensorsFile file(cache_of(spec));
    const auto found = file.metadata().find("key");
    if (found != file.metadata().end() && found->second == key_of(spec, base_sha256, data))
      return from(file);
  } catch (const Error&) {
    // A damaged cache costs its making again, no more.
  }
  return std::nullopt;
}

std::optional<References> compute_references(Model& model, const TrainSpec& spec,
                                             const std::string& base_sha256, const PairData& data,
                                             Observer& observer) {
  const auto total = static_cast<std::int64_t>(data.train.size() + data.held_out.size());
  model.adapters_on = false;
  std::int64_t before = 0;
  bool stopped = false;
  const auto score = [&](const std::vector<Pair>& pairs) {
    auto out = score_pairs(model, pairs, spec.micro_batch_tokens(), [&](std::int64_t done) {
      observer.progress("reference", before + done, total, -1);
      return stopped = observer.stop_requested();
    });
    before += static_cast<std::int64_t>(pairs.size());
    return out;
  };
  References out;
  out.train = score(data.train);
  if (!stopped) out.held_out = score(data.held_out);
  model.adapters_on = true;
  if (stopped) return std::nullopt;
  write_safetensors(cache_of(spec), out.tensors(),
                    {{"format", "pt"}, {"key", key_of(spec, base_sha256, data)}});
  return out;
}

}  // namespace hone::rl
