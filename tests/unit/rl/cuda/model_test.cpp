// Whole models on the device beside the CPU: every family's parts, passes and their gradients,
// sampling against scoring.
#include <ATen/ops/equal.h>
#include <ATen/ops/ones_like.h>

#include "rl/engine/sampler.h"
#include "rl/model/lora.h"
#include "rl/model/scalar_head.h"
#include "rl/model/score.h"
#include "rl/ops/matmul.h"
#include "rl/optim/adamw.h"
#include "tests/unit/rl/cuda/support.h"

namespace hone::rl {
namespace {

using namespace testing;

class CudaModel : public OnCuda {
 protected:
  void TearDown() override { use_matmul_plan(plan_); }

  Model model_on(bool cuda, const TinyShape& shape) {
    auto plan = plan_;
    plan.cuda = cuda;
    use_matmul_plan(plan);
    return tiny_model(shape);
  }

 private:
  MatmulPlan plan_ = matmul_plan();
};

const TinyShape kShapes[] = {
    {},
    {.kv_heads = 4, .tied = false},
    {.kv_heads = 1},
    {.biases = true},
    {.qk_norm = true},
    {.window = 5},
    {.window = 9, .unturned = true},
    {.heads = 6, .kv_heads = 2, .head_dim = 64, .hidden = 96, .intermediate = 130, .vocab = 1003},
    // Eleven query heads to one of keys; keys of several blocks of the kernel.
    {.heads = 11, .kv_heads = 1, .head_dim = 64, .hidden = 64, .window = 300, .positions = 1024},
    {.heads = 4, .kv_heads = 2, .head_dim = 128, .hidden = 64, .positions = 1024},
    {.heads = 2, .kv_heads = 2, .head_dim = 40, .hidden = 64, .positions = 1024}};

TEST_F(CudaModel, LogProbabilitiesAndGradientsAreTheCpus) {
  for (const auto& shape : kShapes)
    for (const bool checkpointed : {false, true}) {
      auto here = model_on(false, shape), device = model_on(true, shape);
      train_all_weights(here);
      train_all_weights(device);
      const auto packed = pack(uneven_groups());
      const auto run = [&](Model& model) {
        ScoreTrace trace;
        trace.trunk.checkpointed = checkpointed;
        at::Tensor entropy;
        const auto logprobs = response_logprobs(model, packed, {}, &trace, &entropy);
        response_logprobs_backward(model, packed, random_tensor({logprobs.size(0)}, 3, 1), {},
                                   std::move(trace), random_tensor({logprobs.size(0)}, 4, 1));
        return logprobs;
      };
      EXPECT_LT(max_difference(run(device), run(here)), 1e-4);
      const auto wanted = trainable(here), got = trainable(device);
      ASSERT_EQ(wanted.size(), got.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_LT(relative(got[i].weight->grad, wanted[i].weight->grad), 2e-4) << got[i].name;
    }
}

TEST_F(CudaModel, InBf16TheyAreNear) {
  for (const auto& shape : kShapes) {
    auto here = model_on(false, shape), device = model_on(true, shape);
    train_all_weights(here);
    train_all_weights(device);
    use_bf16_products(device);
    const auto packed = pack(uneven_groups());
    const auto run = [&](Model& model) {
      ScoreTrace trace;
      const auto logprobs = response_logprobs(model, packed, {}, &trace);
      response_logprobs_backward(model, packed, random_tensor({logprobs.size(0)}, 3, 1), {},
                                 std::move(trace));
      return logprobs;
    };
    EXPECT_LT(max_difference(run(device), run(here)), 0.15);
    const auto wanted = trainable(here), got = trainable(device);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const auto a = got[i].weight->grad.cpu().flatten(), b = wanted[i].weight->grad.flatten();
      const double cosine = ((a * b).sum() / (a.norm() * b.norm())).item<double>();
      EXPECT_GT(cosine, 0.99) << got[i].name;
    }
  }
}

TEST_F(CudaModel, AdaptersAndScoresAreTheCpus) {
  for (const bool bf16 : {false, true}) {
    const auto make = [&](bool cuda) {
      auto model = model_on(cuda, {.heads = 4, .kv_heads = 2, .head_dim = 16, .hidden = 64});
      make_score_model(model, Random(3, Stream::Init));
      add_lora(model, {.rank = 8}, Random(4, Stream::Init));
      for_each_weight(model, [&](const std::string& name, Weight& weight) {
        if (name.find("lora_b") != std::string::npos)
          weight.value = random_tensor(weight.value.sizes().vec(), 7, 0.2).to(model.device());
      });
      if (cuda && bf16) use_bf16_products(model);
      return model;
    };
    auto here = make(false), device = make(true);
    const auto packed = pack_whole(uneven_groups());
    const auto run = [&](Model& model) {
      ScalarTrace trace;
      const auto values = scalars_at(model, packed, packed.last, &trace);
      scalars_backward(model, packed, packed.last, random_tensor({values.size(0)}, 3, 1),
                       std::move(trace));
      return values;
    };
    EXPECT_LT(max_difference(run(device), run(here)), bf16 ? 0.1 : 1e-4);
    const auto wanted = trainable(here), got = trainable(device);
    ASSERT_GT(wanted.size(), 0u);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const auto a = got[i].weight->grad.cpu().flatten(), b = wanted[i].weight->grad.flatten();
      const double cosine = ((a * b).sum() / (a.norm() * b.norm())).item<double>();
      EXPECT_GT(cosine, bf16 ? 0.99 : 0.999999) << got[i].name;
    }
  }
}

TEST_F(CudaModel, AStepOfTheOptimizerIsTheCpus) {
  auto here = model_on(false, {}), device = model_on(true, {});
  train_all_weights(here);
  train_all_weights(device);
  AdamW first(trainable(here), {.weight_decay = 0.1}),
      second(trainable(device), {.weight_decay = 0.1});
  for (std::uint64_t step = 0; step < 3; ++step) {
    const auto a = trainable(here), b = trainable(device);
    for (std::size_t i = 0; i < a.size(); ++i) {
      a[i].weight->grad.copy_(random_tensor(a[i].weight->grad.sizes().vec(), 100 * step + i, 3));
      b[i].weight->grad.copy_(a[i].weight->grad);
    }
    EXPECT_NEAR(first.step(1e-2), second.step(1e-2), 1e-3);
    for (std::size_t i = 0; i < a.size(); ++i)
      EXPECT_LT(relative(b[i].weight->value, a[i].weight->value), 2e-5) << a[i].name;
  }
}

/// Samples on both sides of the number of steps before a step becomes a graph, in groups.
std::vector<SampleRequest> requests(const TinyShape& shape) {
  const std::uint64_t longer = shape.positions > 256 ? 200 : 40;
  std::vector<SampleRequest> out;
  for (std::uint64_t p = 0; p < 5; ++p)
    for (std::uint64_t i = 0; i < 4; ++i)
      out.push_back(
          {random_ids(static_cast<std::int64_t>(3 + longer * p), 40 + p, shape.vocab),
           {.max_tokens = 6 + 7 * static_cast<std::int64_t>(i), .temperature = i == 0 ? 0.0 : 0.9},
           5,
           10 * p + i});
  return out;
}

TEST_F(CudaModel, SamplingDrawsWhatTheCpuDraws) {
  for (const auto& shape : kShapes) {
    const auto draw = [&](const Model& model) {
      std::vector<Sample> out(20);
      SamplerEvents events;
      events.on_sample = [&](std::size_t i, const Sample& sample) { out[i] = sample; };
      sample_all(model, requests(shape), {.slots = 7, .prefill_tokens = 64, .stop_ids = {}},
                 events);
      return out;
    };
    const auto here = draw(model_on(false, shape)), device = draw(model_on(true, shape));
    std::size_t same = 0;
    for (std::size_t i = 0; i < here.size(); ++i) {
      same += here[i].ids == device[i].ids;
      if (here[i].ids != device[i].ids) continue;
      for (std::size_t t = 0; t < here[i].ids.size(); ++t)
        EXPECT_NEAR(here[i].logprobs[t], device[i].logprobs[t], 1e-4);
    }
    // A draw on the border of two tokens may fall on the other side of it.
    EXPECT_GE(same, 19u);
  }
}

TEST_F(CudaModel, InBf16SamplingSaysWhatScoringSays) {
  const TinyShape shape{.heads = 6,
                        .kv_heads = 2,
                        .head_dim = 64,
                        .hidden = 96,
                        .intermediate = 136,
                        .layers = 4,
                        .vocab = 1003,
                        .positions = 1024};
  auto model = model_on(true, shape);
  use_bf16_products(model);
  const auto asked = requests(shape);
  SamplerEvents events;
  events.on_sample = [&](std::size_t i, const Sample& sample) {
    const std::vector<Group> group = {{asked[i].prompt, {sample.ids}}};
    const double temperature = asked[i].options.temperature > 0 ? asked[i].options.temperature : 1;
    const auto scored = response_logprobs(model, pack(group), {.temperature = temperature});
    for (std::size_t t = 0; t < sample.ids.size(); ++t)
      EXPECT_NEAR(scored[static_cast<std::int64_t>(t)].item<float>(), sample.logprobs[t], 0.1);
  };
  for (const std::int64_t slots : {3, 20})  // products of few rows, and of many
    sample_all(model, asked, {.slots = slots, .stop_ids = {}}, events);
}

TEST_F(CudaModel, TwoRunsGiveTheSameBits) {
  for (const bool bf16 : {false, true}) {
    const auto run = [&] {
      auto model = model_on(true, kShapes[7]);
      train_all_weights(model);
      if (bf16) use_bf16_products(model);
      const auto packed = pack(uneven_groups());
      ScoreTrace trace;
      const auto logprobs = response_logprobs(model, packed, {}, &trace);
      response_logprobs_backward(model, packed, at::ones_like(logprobs), {}, std::move(trace));
      std::vector<at::Tensor> out = {logprobs};
      for (const auto& [name, weight] : trainable(model)) out.push_back(weight->grad.cpu());
      return out;
    };
    const auto first = run(), second = run();
    for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(at::equal(first[i], second[i])) << i;
  }
}

}  // namespace
}  // namespace hone::rl
