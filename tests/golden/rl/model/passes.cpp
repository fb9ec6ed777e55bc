// passes BASE OUT: one forward and one backward pass over a JSON line of standard input, for
// check_passes.py, which holds them against autograd of transformers.
//   {"prompt", "responses": [ids], "weights": [f]}
// OUT, a safetensors file, gets "logits" of the prompt, "values" (log-probability of each response
// token; of a reward model the score of each response) and the gradient of sum(weights * values)
// under Hugging Face's names.
#include <ATen/ops/empty.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/eval/logit_difference.h"
#include "rl/formats/base.h"
#include "rl/formats/safetensors.h"
#include "rl/model/scalar_head.h"
#include "rl/model/score.h"
#include "rl/ops/matmul.h"

namespace {

using namespace hone::rl;

at::Tensor to_tensor(const std::vector<float>& values) {
  auto out = at::empty({static_cast<std::int64_t>(values.size())}, at::kFloat);
  std::copy(values.begin(), values.end(), out.data_ptr<float>());
  return out;
}

at::Tensor run(Model& model, const std::vector<Group>& groups, const at::Tensor& weights) {
  if (model.config.output == Output::Score) {
    const auto packed = pack_whole(groups);
    ScalarTrace trace;
    const auto values = scalars_at(model, packed, packed.last, &trace);
    scalars_backward(model, packed, packed.last, weights, std::move(trace));
    return values;
  }
  const auto packed = pack(groups);
  ScoreTrace trace;
  const auto values = response_logprobs(model, packed, {}, &trace);
  response_logprobs_backward(model, packed, weights, {}, std::move(trace));
  return values;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::cerr << "usage: passes BASE OUT\n", 64;
  try {
    use_matmul_plan(probe_matmul());  // on the CUDA device, where there is one
    const auto base = open_base(argv[1], std::nullopt);
    auto model = load_model(base.config, *base.weights);
    std::string line;
    std::getline(std::cin, line);
    const auto json = nlohmann::json::parse(line);
    const std::vector<Group> groups = {
        {json.at("prompt").get<Ids>(), json.at("responses").get<std::vector<Ids>>()}};
    NamedTensors out = {{"logits", probe_logits(model, {groups[0].prompt})}};
    train_all_weights(model);
    out.emplace_back("values",
                     run(model, groups, to_tensor(json.at("weights").get<std::vector<float>>())));
    // A model of the gradients, taken apart as a model is.
    for_each_weight(model, [](const std::string&, Weight& weight) { weight.value = weight.grad; });
    for (const auto& [name, gradient] : named_weights(model))
      out.emplace_back(name, gradient.contiguous());
    write_safetensors(argv[2], out);
  } catch (const std::exception& error) {
    return std::cerr << error.what() << '\n', 1;
  }
}
