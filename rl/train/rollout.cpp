#include "rl/train/rollout.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <string>

namespace hone::rl {
namespace {

constexpr const char* kPrefix = "rollout.";

template <class T>
at::Tensor to_tensor(const std::vector<T>& values, at::ScalarType type) {
  auto out = at::empty({static_cast<std::int64_t>(values.size())}, type);
  if (!values.empty()) std::copy(values.begin(), values.end(), out.template data_ptr<T>());
  return out;
}

template <class T>
std::vector<T> read(const SafetensorsFile& file, const char* name) {
  const auto tensor = file.read(kPrefix + std::string(name));
  const T* data = tensor.template const_data_ptr<T>();
  return {data, data + tensor.numel()};
}

template <class T>
at::Tensor gather(const Rollout& rollout, const std::vector<T>& per_token,
                  const std::vector<std::int64_t>& answers) {
  const auto starts = rollout.starts();
  std::int64_t count = 0;
  for (const auto a : answers) count += rollout.lengths[static_cast<std::size_t>(a)];
  auto out = at::empty({count}, at::kFloat);
  float* to = out.data_ptr<float>();
  for (const auto a : answers) {
    const auto from = starts[static_cast<std::size_t>(a)];
    for (std::int64_t t = 0; t < rollout.lengths[static_cast<std::size_t>(a)]; ++t)
      *to++ = static_cast<float>(per_token[static_cast<std::size_t>(from + t)]);
  }
  return out;
}

}  // namespace

std::vector<std::int64_t> Rollout::starts() const {
  std::vector<std::int64_t> out = {0};
  for (const auto length : lengths) out.push_back(out.back() + length);
  return out;
}

NamedTensors Rollout::tensors() const {
  const auto named = [](const char* name, at::Tensor tensor) {
    return std::pair<std::string, at::Tensor>(kPrefix + std::string(name), std::move(tensor));
  };
  return {named("prompt", to_tensor(prompt, at::kLong)),
          named("lengths", to_tensor(lengths, at::kLong)),
          named("tokens", to_tensor(tokens, at::kLong)),
          named("truncated", to_tensor(truncated, at::kByte)),
          named("scores", to_tensor(scores, at::kDouble)),
          named("sampled", to_tensor(sampled, at::kFloat)),
          named("old", to_tensor(old, at::kFloat)),
          named("ref", to_tensor(ref, at::kFloat)),
          named("values", to_tensor(values, at::kFloat)),
          named("advantages", to_tensor(advantages, at::kDouble)),
          named("returns", to_tensor(returns, at::kDouble)),
          named("mask", to_tensor(mask, at::kByte))};
}

Rollout Rollout::from(const SafetensorsFile& file) {
  Rollout r;
  r.prompt = read<std::int64_t>(file, "prompt");
  r.lengths = read<std::int64_t>(file, "lengths");
  r.tokens = read<std::int64_t>(file, "tokens");
  r.truncated = read<std::uint8_t>(file, "truncated");
  r.scores = read<double>(file, "scores");
  r.sampled = read<float>(file, "sampled");
  r.old = read<float>(file, "old");
  r.ref = read<float>(file, "ref");
  r.values = read<float>(file, "values");
  r.advantages = read<double>(file, "advantages");
  r.returns = read<double>(file, "returns");
  r.mask = read<std::uint8_t>(file, "mask");
  return r;
}

bool Rollout::stands_in(const SafetensorsFile& file) {
  return std::any_of(file.tensors().begin(), file.tensors().end(), [](const TensorInfo& info) {
    return info.name == kPrefix + std::string("tokens");
  });
}

std::vector<Group> groups_of(const Rollout& rollout, const std::vector<PromptRow>& prompts,
                             const std::vector<std::int64_t>& answers) {
  const auto starts = rollout.starts();
  std::vector<Group> groups;
  std::int64_t last = -1;
  for (const auto a : answers) {
    const auto i = static_cast<std::size_t>(a);
    if (groups.empty() || rollout.prompt[i] != last)
      groups.push_back({prompts[static_cast<std::size_t>(rollout.prompt[i])].prompt, {}});
    last = rollout.prompt[i];
    groups.back().responses.emplace_back(rollout.tokens.begin() + starts[i],
                                         rollout.tokens.begin() + starts[i + 1]);
  }
  return groups;
}

std::vector<std::vector<std::int64_t>> micro_batches(const Rollout& rollout,
                                                     const std::vector<PromptRow>& prompts,
                                                     const std::vector<std::int64_t>& answers,
                                                     std::int64_t max_tokens) {
  std::vector<std::vector<std::int64_t>> out;
  std::int64_t tokens = 0, last = -1;
  for (const auto a : answers) {
    const auto i = static_cast<std::size_t>(a);
    const auto own = rollout.lengths[i] - 1;
    const auto prompt = static_cast<std::int64_t>(
        prompts[static_cast<std::size_t>(rollout.prompt[i])].prompt.size());
    const bool shares = !out.empty() && rollout.prompt[i] == last;
    if (out.empty() || tokens + own + (shares ? 0 : prompt) > max_tokens) {
      out.emplace_back();
      tokens = own + prompt;
    } else {
      tokens += own + (shares ? 0 : prompt);
    }
    last = rollout.prompt[i];
    out.back().push_back(a);
  }
  return out;
}

at::Tensor gather_tokens(const Rollout& rollout, const std::vector<float>& per_token,
                         const std::vector<std::int64_t>& answers) {
  return gather(rollout, per_token, answers);
}
at::Tensor gather_tokens(const Rollout& rollout, const std::vector<double>& per_token,
                         const std::vector<std::int64_t>& answers) {
  return gather(rollout, per_token, answers);
}
at::Tensor gather_tokens(const Rollout& rollout, const std::vector<std::uint8_t>& per_token,
                         const std::vector<std::int64_t>& answers) {
  return gather(rollout, per_token, answers);
}

void put_tokens(const Rollout& rollout, const std::vector<std::int64_t>& answers,
                const at::Tensor& numbers, std::vector<float>& per_token) {
  const auto starts = rollout.starts();
  const float* from = numbers.const_data_ptr<float>();
  for (const auto a : answers) {
    const auto begin = starts[static_cast<std::size_t>(a)],
               end = starts[static_cast<std::size_t>(a) + 1];
    std::copy_n(from, end - begin, per_token.begin() + begin);
    from += end - begin;
  }
}

}  // namespace hone::rl
