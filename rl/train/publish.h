// What a finished run leaves for others: a model folder, an adapter folder, and where they come
// from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "rl/formats/base.h"
#include "rl/model/model.h"
#include "rl/train/objective.h"
#include "rl/train/run.h"
#include "rl/train/spec.h"

namespace hone::rl {

struct PublishedFrom {
  const TrainSpec& spec;
  const Base& base;
  const Objective& objective;
  const RunOutcome& outcome;
  double bf16_ratio = 0;  ///< as measured; 0: it was not
};

/// Puts the published seed's folders, which lie in out/seed-N, into `job.out` as hard links, with
/// hone/seeds.json, a card that shows every seed, and a manifest of all that.
void publish_seeds(const TrainSpec& job, std::uint64_t seed, const std::string& seeds_json);

/// Writes out/hf (the merged model for LoRA), out/adapter (LoRA), out/hone/evaluation.json,
/// samples.jsonl and, last, out/hone/manifest.json with the hash of every file. Each folder is made
/// beside its place and renamed there. The merged weights are read back from the disk and their
/// logits compared with those of base and adapter; the manifest says how far they are apart. The
/// model is spent: it holds the merged weights afterwards.
void publish(Model& model, const PublishedFrom& from);

}  // namespace hone::rl
