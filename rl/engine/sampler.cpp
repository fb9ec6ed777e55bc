#include "rl/engine/sampler.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>

#include "feedback/base/error.h"
#include "rl/model/forward.h"
#include "rl/ops/coarse_head.h"
#include "rl/ops/decode_attention.h"
#include "rl/ops/few_rows.h"
#include "rl/ops/matmul.h"
#include "rl/random/philox.h"

namespace hone::rl {
namespace {

/// One prompt's keys and values, shared by its samples, and what follows its last token.
struct PromptCache {
  std::int64_t tokens = 0;
  at::Tensor kv;      // [layers][kv_heads][2][tokens][dim]
  at::Tensor logits;  // [V]
};

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
      : model_(model),
        requests_(requests),
        options_(options),
        events_(events),
        shape_(model.head_shape(0)) {
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
    const std::int64_t token_numbers =
        model.config.num_hidden_layers * 2 * shape_.kv_heads * shape_.dim;
    const std::int64_t fit = options.cache_bytes /
                             (capacity_ * token_numbers * static_cast<std::int64_t>(sizeof(float)));
    const std::int64_t wanted =
        std::min<std::int64_t>(options.slots, static_cast<std::int64_t>(requests.size()));
    slots_.resize(static_cast<std::size_t>(
        std::clamp<std::int64_t>(fit, 1, std::max<std::int64_t>(1, wanted))));
    piece_ = 2 * shape_.kv_heads * capacity_ * shape_.dim;
    own_ = at::empty(
        {model.config.num_hidden_layers, static_cast<std::int64_t>(slots_.size()), piece_},
        at::kFloat);
    // Few samples at once: a step's time is that of reading the weights, so the head is read in
    // half.
    const bool rounded = !model.blocks.empty() &&
                         model.blocks[0].down.weight.operand().scalar_type() == at::kBFloat16;
    if (rounded && static_cast<std::int64_t>(slots_.size()) <= kFewRows)
      coarse_.emplace(model.output().value);
  }

  void run() {
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

 private:
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
    for (auto& slot : slots_) {
      if (slot || next_ == requests_.size()) continue;
      if (prompts_.empty() || prompts_.front().first != next_) prefill();
      const auto cache = prompts_.front().second;
      prompts_.pop_front();
      slot.emplace(Slot{next_, cache, {}, limit_of(requests_[next_])});
      if (!requests_[next_].stop_texts.empty()) slot->stream.emplace(*options_.tokenizer, true);
      ++next_;
      append(slot, choose(*slot, cache->logits.const_data_ptr<float>(), scratch_));
    }
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
    for (const auto& group : groups) {
      auto cache = std::make_shared<PromptCache>();
      cache->tokens = static_cast<std::int64_t>(group.prompt.size());
      cache->kv = at::empty(
          {model_.config.num_hidden_layers, 2 * shape_.kv_heads * cache->tokens * shape_.dim},
          at::kFloat);
      caches.push_back(std::move(cache));
    }
    const auto attend = [&](std::size_t layer, const at::Tensor& qkv) {
      for (std::size_t i = 0; i < caches.size(); ++i) {
        const auto& segment = packed.segments[i];
        store_kv(qkv.const_data_ptr<float>() + segment.start * qkv.size(1), segment.prompt, shape_,
                 caches[i]->kv.data_ptr<float>() +
                     static_cast<std::int64_t>(layer) * caches[i]->kv.size(1),
                 segment.prompt, 0);
      }
      return attention(qkv, packed.segments, model_.head_shape(layer));
    };
    const auto x = forward(model_, packed.ids, packed.positions, attend);
    auto last = at::empty({static_cast<std::int64_t>(groups.size())}, at::kLong);
    for (std::size_t i = 0; i < groups.size(); ++i)
      last.data_ptr<std::int64_t>()[i] = packed.segments[i].start + packed.segments[i].prompt - 1;
    const auto logits = matmul_nt(normed(at::index_select(x, 0, last)), model_.output().value);
    for (std::size_t i = 0; i < groups.size(); ++i)
      caches[i]->logits = logits.select(0, static_cast<std::int64_t>(i)).clone();
    return {caches.begin(), caches.end()};
  }

  at::Tensor normed(const at::Tensor& x) const {
    return rms_norm(x, model_.norm.value, model_.config.rms_norm_eps);
  }

  Choice choose(const Slot& slot, const float* logits, std::vector<float>& scratch) const {
    const auto& request = requests_[slot.request];
    const double uniform =
        Random(request.seed, Stream::Sample)
            .uniform(request.sample, static_cast<std::uint64_t>(slot.sample.ids.size()));
    return choose_token(logits, model_.config.vocab_size, request.options, uniform, scratch,
                        {request.prompt, slot.sample.ids});
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
    for (std::size_t s = 0; s < slots_.size(); ++s)
      if (slots_[s]) live.push_back(s);
    const auto B = static_cast<std::int64_t>(live.size());
    auto ids = at::empty({B}, at::kLong), positions = at::empty({B}, at::kLong);
    std::vector<KvPair> sequences(live.size());
    for (std::size_t b = 0; b < live.size(); ++b) {
      const auto& slot = *slots_[live[b]];
      const auto have = static_cast<std::int64_t>(slot.sample.ids.size());
      ids.data_ptr<std::int64_t>()[b] = slot.sample.ids.back();
      positions.data_ptr<std::int64_t>()[b] = slot.prompt->tokens + have - 1;
      sequences[b].prompt = {nullptr, slot.prompt->tokens, slot.prompt->tokens};
      sequences[b].own = {nullptr, have, capacity_};
    }
    const auto attend = [&](std::size_t layer, const at::Tensor& qkv) {
      const auto l = static_cast<std::int64_t>(layer);
      for (std::size_t b = 0; b < live.size(); ++b) {
        const auto& cache = *slots_[live[b]]->prompt;
        float* own = own_.data_ptr<float>() +
                     (l * own_.size(1) + static_cast<std::int64_t>(live[b])) * piece_;
        sequences[b].prompt.data = cache.kv.const_data_ptr<float>() + l * cache.kv.size(1);
        sequences[b].own.data = own;
        store_kv(qkv.const_data_ptr<float>() + static_cast<std::int64_t>(b) * qkv.size(1), 1,
                 shape_, own, capacity_, sequences[b].own.tokens - 1);
      }
      return decode_attention(qkv, sequences, model_.head_shape(layer));
    };
    const auto x = normed(forward(model_, ids, positions, attend));  // [B,C]
    std::vector<double> temperatures;
    for (const auto s : live)
      temperatures.push_back(requests_[slots_[s]->request].options.temperature);
    const auto logits =
        coarse_ ? coarse_->logits(x, temperatures) : matmul_nt(x, model_.output().value);  // [B,V]
    const float* rows = logits.const_data_ptr<float>();
    std::vector<Choice> choices(live.size());
    at::parallel_for(0, B, 1, [&](std::int64_t from, std::int64_t to) {
      std::vector<float> scratch;
      for (std::int64_t b = from; b < to; ++b) {
        const auto& slot = *slots_[live[static_cast<std::size_t>(b)]];
        const float* row = rows + b * model_.config.vocab_size;
        auto& choice = choices[static_cast<std::size_t>(b)] = choose(slot, row, scratch);
        if (!coarse_) continue;
        // An unlikely token has a coarse logit; for any other this adds 0.
        const double scale = temperatures[static_cast<std::size_t>(b)] > 0
                                 ? 1 / temperatures[static_cast<std::size_t>(b)]
                                 : 1;
        const float exact = coarse_->exact(x.const_data_ptr<float>() + b * x.size(1), choice.id);
        choice.logprob += static_cast<float>((exact - row[choice.id]) * scale);
      }
    });
    for (std::size_t b = 0; b < live.size(); ++b) append(slots_[live[b]], choices[b]);
  }

  const Model& model_;
  std::span<const SampleRequest> requests_;
  const SamplerOptions& options_;
  const SamplerEvents& events_;
  HeadShape shape_;            // of the cache; windows differ by layer
  std::int64_t capacity_ = 1;  // tokens a slot can hold
  std::int64_t piece_ = 0;     // numbers of one slot in one layer
  std::optional<CoarseHead> coarse_;
  at::Tensor own_;  // [layers][slots][kv_heads][2][capacity][dim]
  std::vector<std::optional<Slot>> slots_;
  std::size_t next_ = 0;  // request to be admitted next
  std::deque<std::pair<std::size_t, std::shared_ptr<const PromptCache>>>
      prompts_;  // of requests from next_ on
  std::shared_ptr<const PromptCache> last_prompt_;
  std::optional<std::size_t> last_prompt_request_;
  std::vector<float> scratch_;
};

}  // namespace

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

void sample_all(const Model& model, std::span<const SampleRequest> requests,
                const SamplerOptions& options, const SamplerEvents& events) {
  if (!requests.empty()) Decoder(model, requests, options, events).run();
}

}  // namespace hone::rl
