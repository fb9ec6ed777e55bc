// Answers that a policy gave, with all that training on them needs: numbers per answer and per
// token, answers laid end to end.
#pragma once

#include <cstdint>
#include <vector>

#include "rl/data/prompts.h"
#include "rl/formats/safetensors.h"
#include "rl/model/score.h"

namespace hone::rl {

/// B answers of N tokens altogether. Answers to one prompt follow each other.
struct Rollout {
  std::vector<std::int64_t> prompt;     ///< [B] the answer's prompt: its place in the data
  std::vector<std::int64_t> lengths;    ///< [B]
  std::vector<std::int64_t> tokens;     ///< [N] as sampled
  std::vector<std::uint8_t> truncated;  ///< [B] reached the cap without an end
  std::vector<double> scores;           ///< [B] NaN: not scored
  std::vector<float> sampled;           ///< [N] log-probability when drawn
  std::vector<float> old;               ///< [N] the same by the training kernels; empty: not wanted
  std::vector<float> ref;               ///< [N] under the reference; empty: not wanted
  std::vector<float> values;            ///< [N] of the value network; empty without one
  std::vector<double> advantages, returns;  ///< [N]; returns empty without a value network
  std::vector<std::uint8_t> mask;           ///< [N] 1: the loss may see it

  std::int64_t answers() const { return static_cast<std::int64_t>(prompt.size()); }
  /// Where each answer's tokens begin; one more than answers.
  std::vector<std::int64_t> starts() const;

  NamedTensors tensors() const;
  static Rollout from(const SafetensorsFile& file);
  static bool stands_in(const SafetensorsFile& file);
};

/// Some answers of a rollout as packed groups: those of one prompt that follow each other share it.
std::vector<Group> groups_of(const Rollout& rollout, const std::vector<PromptRow>& prompts,
                             const std::vector<std::int64_t>& answers);

/// Cuts answers into passes of at most `max_tokens` trunk tokens; one answer may exceed it alone.
/// An answer that begins a pass brings its prompt along.
std::vector<std::vector<std::int64_t>> micro_batches(const Rollout& rollout,
                                                     const std::vector<PromptRow>& prompts,
                                                     const std::vector<std::int64_t>& answers,
                                                     std::int64_t max_tokens);

/// The numbers of some answers, [n] f32, end to end: a copy of parts of a per-token list.
at::Tensor gather_tokens(const Rollout& rollout, const std::vector<float>& per_token,
                         const std::vector<std::int64_t>& answers);
at::Tensor gather_tokens(const Rollout& rollout, const std::vector<double>& per_token,
                         const std::vector<std::int64_t>& answers);
at::Tensor gather_tokens(const Rollout& rollout, const std::vector<std::uint8_t>& per_token,
                         const std::vector<std::int64_t>& answers);
/// Puts the numbers [n] of some answers, end to end, where they stand among a rollout's tokens.
void put_tokens(const Rollout& rollout, const std::vector<std::int64_t>& answers,
                const at::Tensor& numbers, std::vector<float>& per_token);

}  // namespace hone::rl
