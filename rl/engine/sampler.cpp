#include "rl/engine/sampler.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>

#include "feedback/base/error.h"
#include "rl/engine/decode.h"
#include "rl/model/forward.h"
#include "rl/ops/cuda/device.h"
#include "rl/ops/matmul.h"
#include "rl/random/philox.h"

namespace hone::rl {
namespace {

/// One sample in the making.
struct Slot {
  std::size_t request = 0;
  std::shared_ptr<const PromptCache> prompt;
  Sample sample;
  std::int64_t limit = 0;  // tokens it may have
  // With stop texts: the text as it grows, of which the end is kept that a stop text may begin in.
  std::optional<Tokenizer::Stream> stream = {};
  std::string tail = {};
};

/// The first place in `text` of any of the stops; npos when there is none.
std::size_t find_stop(std::string_view text, const std::vector<std::string>& stops) {
  auto first = std::string_view::npos;
  for (const auto& stop : stops) first = std::min(first, text.find(stop));
  return first;
}

class Decoder {
 public:
  Decoder(const Model& model, std::span<const SampleRequest> requests,
          const SamplerOptions& options, const SamplerEvents& events)
      : model_(model), requests_(requests), options_(options), events_(events) {
    for (const auto& request : requests) {
      check_sampling(request.options);
      const auto P = static_cast<std::int64_t>(request.prompt.size());
      if (P == 0) throw Error(Code::Invalid, "the prompt has no tokens", "prompt");
      if (P >= model.config.max_position_embeddings)
        throw Error(Code::Invalid,
                    "the prompt has " + std::to_string(P) + " tokens and the model takes " +
                        std::to_string(model.config.max_position_embeddings),
                    "prompt");
      for (const auto& stop : request.stop_texts)
        if (stop.empty() || options.tokenizer == nullptr)
          throw Error(Code::Invalid, "a stop text must not be empty", "stop");
      capacity_ = std::max(capacity_, limit_of(request));
    }
    const std::int64_t fit = options.cache_bytes / (capacity_ * decode_token_bytes(model));
    const std::int64_t wanted =
        std::min<std::int64_t>(options.slots, static_cast<std::int64_t>(requests.size()));
    slots_.resize(static_cast<std::size_t>(
        std::clamp<std::int64_t>(fit, 1, std::max<std::int64_t>(1, wanted))));
    cache_ = make_decode_cache(model, {static_cast<std::int64_t>(slots_.size()), capacity_});
  }

  void run() {
    cache_->run([&] { work(); });
  }

 private:
  void work() {
    while (!(events_.stop_requested && events_.stop_requested())) {
      cancel();
      admit();
      if (active() == 0) {
        if (next_ == requests_.size()) return;
        continue;  // all that was admitted finished with its first token
      }
      step();
    }
  }

  std::int64_t limit_of(const SampleRequest& request) const {
    return std::min(
        request.options.max_tokens,
        model_.config.max_position_embeddings - static_cast<std::int64_t>(request.prompt.size()));
  }

  std::size_t active() const {
    return static_cast<std::size_t>(
        std::count_if(slots_.begin(), slots_.end(), [](const auto& s) { return s.has_value(); }));
  }

  void cancel() {
    if (!events_.cancelled) return;
    for (auto& slot : slots_)
      if (slot && events_.cancelled(slot->request)) finish(slot, Finish::Cancelled);
  }

  /// Fills free slots in the order of requests, computing prompts that are not there yet.
  void admit() {
    std::vector<std::size_t> fresh;
    std::vector<at::Tensor> logits;
    std::vector<Draw> draws;
    for (std::size_t s = 0; s < slots_.size(); ++s) {
      auto& slot = slots_[s];
      if (slot || next_ == requests_.size()) continue;
      if (prompts_.empty() || prompts_.front().first != next_) prefill();
      slot.emplace(Slot{next_, prompts_.front().second, {}, limit_of(requests_[next_])});
      prompts_.pop_front();
      if (!requests_[next_].stop_texts.empty()) slot->stream.emplace(*options_.tokenizer, true);
      ++next_;
      fresh.push_back(s);
      logits.push_back(slot->prompt->logits);
      draws.push_back(draw_of(*slot));
    }
    if (fresh.empty()) return;
    const auto choices = cache_->choose(at::stack(logits), draws);
    for (std::size_t i = 0; i < fresh.size(); ++i) append(slots_[fresh[i]], choices[i]);
  }

  /// Computes the prompts of the next requests, up to a pass's worth of tokens, each prompt once.
  void prefill() {
    const std::size_t free = slots_.size() - active();
    std::vector<std::size_t> first;  // the request that each prompt stands for
    std::vector<std::size_t> prompt_of;
    std::vector<Group> groups;
    std::int64_t tokens = 0;
    // A few more prompts than there is room for now: one pass for several refills.
    const std::size_t ahead =
        std::max<std::size_t>(free, std::min<std::size_t>(8, slots_.size() / 2));
    for (std::size_t r = next_; r < requests_.size() && prompt_of.size() < ahead; ++r) {
      const auto& prompt = requests_[r].prompt;
      if (groups.empty() && last_prompt_ && last_prompt_request_ &&
          requests_[*last_prompt_request_].prompt == prompt) {
        prompts_.emplace_back(r, last_prompt_);
        continue;
      }
      if (groups.empty() || groups.back().prompt != prompt) {
        if (!groups.empty() &&
            tokens + static_cast<std::int64_t>(prompt.size()) > options_.prefill_tokens)
          break;
        tokens += static_cast<std::int64_t>(prompt.size());
        groups.push_back({prompt, {}});
        first.push_back(r);
      }
      prompt_of.push_back(groups.size() - 1);
    }
    if (groups.empty()) return;
    const auto caches = compute_prompts(groups);
    std::size_t r = first.front();
    for (const auto which : prompt_of) prompts_.emplace_back(r++, caches[which]);
    last_prompt_ = caches.back();
    last_prompt_request_ = first.back();
  }

  std::vector<std::shared_ptr<const PromptCache>> compute_prompts(
      const std::vector<Group>& groups) {
    const auto packed = pack(groups);
    std::vector<std::shared_ptr<PromptCache>> caches;
    for (const auto& group : groups)
      caches.push_back(std::make_shared<PromptCache>(
          cache_->make_prompt(static_cast<std::int64_t>(group.prompt.size()))));
    const auto attend = [&](std::size_t layer, const at::Tensor& qkv) {
      for (std::size_t i = 0; i < caches.size(); ++i)
        cache_->store_prompt(layer, qkv, packed.segments[i].start, *caches[i]);
      return attention(qkv, packed.segments, model_.head_shape(layer));
    };
    const auto x = forward(model_, packed.ids, packed.positions, attend);
    auto last = at::empty({static_cast<std::int64_t>(groups.size())}, at::kLong);
    for (std::size_t i = 0; i < groups.size(); ++i)
      last.data_ptr<std::int64_t>()[i] = packed.segments[i].start + packed.segments[i].prompt - 1;
    const auto logits = logits_of(model_, at::index_select(x, 0, last.to(x.device())));
    for (std::size_t i = 0; i < groups.size(); ++i)
      caches[i]->logits = logits.select(0, static_cast<std::int64_t>(i)).clone();
    return {caches.begin(), caches.end()};
  }

  Draw draw_of(const Slot& slot) const {
    const auto& request = requests_[slot.request];
    const auto said = static_cast<std::uint64_t>(slot.sample.ids.size());
    return {&request.options, Random(request.seed, Stream::Sample).uniform(request.sample, said),
            request.prompt, slot.sample.ids};
  }

  /// Whether the token completed a stop text. Of the text behind it only as much is kept as the
  /// longest stop text could begin in.
  bool completes_stop_text(Slot& slot, std::int64_t id) const {
    if (!slot.stream) return false;
    slot.tail += slot.stream->push(id);
    const auto& stops = requests_[slot.request].stop_texts;
    if (find_stop(slot.tail, stops) != std::string::npos) return true;
    std::size_t longest = 0;
    for (const auto& stop : stops) longest = std::max(longest, stop.size());
    if (slot.tail.size() >= longest) slot.tail.erase(0, slot.tail.size() - longest + 1);
    return false;
  }

  void finish(std::optional<Slot>& slot, Finish how) {
    slot->sample.finish = how;
    if (events_.on_sample) events_.on_sample(slot->request, slot->sample);
    slot.reset();
  }

  /// Adds a token to a sample; frees the slot when that ends it.
  void append(std::optional<Slot>& slot, const Choice& choice) {
    auto& sample = slot->sample;
    sample.ids.push_back(choice.id);
    sample.logprobs.push_back(choice.logprob);
    if (events_.on_token) events_.on_token(slot->request, choice.id);
    const auto among = [&](const std::vector<std::int64_t>& ids) {
      return std::ranges::find(ids, choice.id) != ids.end();
    };
    const bool stop = among(options_.stop_ids) || among(requests_[slot->request].stop_ids) ||
                      completes_stop_text(*slot, choice.id);
    if (stop || static_cast<std::int64_t>(sample.ids.size()) >= slot->limit)
      finish(slot, stop ? Finish::Stop : Finish::Length);
  }

  /// One token for every sample in the making.
  void step() {
    std::vector<std::size_t> live;
    std::vector<DecodeRow> rows;
    for (std::size_t s = 0; s < slots_.size(); ++s) {
      if (!slots_[s]) continue;
      const auto& slot = *slots_[s];
      live.push_back(s);
      rows.push_back({s, slot.prompt.get(), static_cast<std::int64_t>(slot.sample.ids.size()),
                      slot.sample.ids.back(), draw_of(slot)});
    }
    const auto choices = cache_->step(rows);
    for (std::size_t b = 0; b < live.size(); ++b) append(slots_[live[b]], choices[b]);
  }

  const Model& model_;
  std::span<const SampleRequest> requests_;
  const SamplerOptions& options_;
  const SamplerEvents& events_;
  std::int64_t capacity_ = 1;  // tokens a slot can hold
  std::unique_ptr<DecodeCache> cache_;
  std::vector<std::optional<Slot>> slots_;
  std::size_t next_ = 0;  // request to be admitted next
  std::deque<std::pair<std::size_t, std::shared_ptr<const PromptCache>>>
      prompts_;  // of requests from next_ on
  std::shared_ptr<const PromptCache> last_prompt_;
  std::optional<std::size_t> last_prompt_request_;
};

}  // namespace

std::int64_t sampler_slots() { return compute_device().is_cuda() ? 256 : 96; }

std::int64_t sampler_cache_bytes() {
  constexpr std::int64_t kOfMemory = std::int64_t{2} << 30;
  return compute_device().is_cuda() ? std::max(kOfMemory, cuda::total_memory() / 8) : kOfMemory;
}

std::int64_t sampler_prefill_tokens() { return compute_device().is_cuda() ? 16384 : 1024; }

const char* to_string(Finish finish) {
  switch (finish) {
    case Finish::Stop:
      return "stop";
    case Finish::Length:
      return "length";
    case Finish::Cancelled:
      return "cancelled";
  }
  return "";
}

std::string text_of(const Sample& sample, const SampleRequest& request, const Tokenizer& tokenizer,
                    const InfillTokens* infill) {
  const auto text =
      infill ? infill_text(tokenizer, *infill, sample.ids) : tokenizer.decode(sample.ids, true);
  return text.substr(0, find_stop(text, request.stop_texts));
}

Held held_to_sample(bool bf16) {
  if (!bf16) return Held::F32;
  // A device reads embedding and head in f32 and rounds the head itself.
  return compute_device().is_cuda() ? Held::Rounded : Held::RoundedWhole;
}

void sample_all(const Model& model, std::span<const SampleRequest> requests,
                const SamplerOptions& options, const SamplerEvents& events) {
  if (!requests.empty()) Decoder(model, requests, options, events).run();
}

}  // namespace hone::rl
