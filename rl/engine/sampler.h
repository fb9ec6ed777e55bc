// Batched sampling with a key-value cache: prompts are computed once for all their samples, a
// finished sample's place is taken at once by the next.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "rl/engine/sampling.h"
#include "rl/model/model.h"
#include "rl/model/score.h"
#include "rl/tokenizer/infill.h"
#include "rl/tokenizer/tokenizer.h"

namespace hone::rl {

struct SampleRequest {
  Ids prompt;
  SamplingOptions options;
  /// Token t of a sample is drawn by number (sample, t) of `seed`'s sample stream: no other sample,
  /// no batch and no order of work changes it. (A logit may move in its last bit with the number of
  /// samples decoded together; the draw itself does not.)
  std::uint64_t seed = 0;
  std::uint64_t sample = 0;
  /// Texts that end the sample as soon as one stands in what it decodes to; they need
  /// SamplerOptions::tokenizer.
  std::vector<std::string> stop_texts = {};
  std::vector<std::int64_t> stop_ids = {};  ///< ids that end it, beside SamplerOptions'
};

enum class Finish { Stop, Length, Cancelled };
/// "stop", "length" or "cancelled".
const char* to_string(Finish finish);

struct Sample {
  /// When finish is Stop it ends with the stop id, or with the token that completed a stop text.
  Ids ids;
  std::vector<float> logprobs;  ///< one for each id
  Finish finish = Finish::Length;
};

/// As many as a step serves at little more than the price of one: 96, on a CUDA device 256.
std::int64_t sampler_slots();
/// 2 GB, or an eighth of a CUDA device's memory.
std::int64_t sampler_cache_bytes();
/// 1024, on a CUDA device 16384.
std::int64_t sampler_prefill_tokens();

struct SamplerOptions {
  std::int64_t slots = sampler_slots();              ///< samples decoded together
  std::int64_t cache_bytes = sampler_cache_bytes();  ///< bound on the samples' own keys and values
  std::int64_t prefill_tokens = sampler_prefill_tokens();  ///< of prompts, computed in one pass
  std::vector<std::int64_t> stop_ids;
  const Tokenizer* tokenizer = nullptr;  ///< for stop texts; must outlive the call
};

/// What sample_all tells while it works; all optional.
struct SamplerEvents {
  std::function<void(std::size_t request, const Sample&)> on_sample;  ///< in order of finishing
  std::function<void(std::size_t request, std::int64_t id)> on_token;
  std::function<bool()> stop_requested;  ///< asked before each step; true ends the call early
  /// Asked before each step about each sample in the making: true ends it as it is.
  std::function<bool(std::size_t request)> cancelled;
};

/// A sample's text without its stop id, up to the first of the request's stop texts. `infill`: it
/// is a middle, whose first space counts.
std::string text_of(const Sample& sample, const SampleRequest& request, const Tokenizer& tokenizer,
                    const InfillTokens* infill = nullptr);

/// What a model that only samples is to be held in, in f32 or with bf16 products.
Held held_to_sample(bool bf16);

/// Draws one sample for each request; requests with equal prompts should follow each other, since a
/// prompt is then computed once. Calls back as samples finish. Invalid when a prompt is empty or
/// longer than the model's positions.
void sample_all(const Model& model, std::span<const SampleRequest> requests,
                const SamplerOptions& options, const SamplerEvents& events);

}  // namespace hone::rl
