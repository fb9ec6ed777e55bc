// Adapters: start as the base, merge to what they compute, survive PEFT's form.
#include <gtest/gtest.h>

#include <map>

#include "feedback/base/error.h"
#include "rl/formats/merge.h"
#include "rl/model/lora.h"
#include "tests/unit/rl/support/tiny_model.h"

namespace hone::rl {
namespace {

using namespace testing;

Model adapted(const LoraSpec& spec = {.rank = 3, .alpha = 6}) {
  auto model = tiny_model();
  add_lora(model, spec, Random(5, Stream::Init));
  return model;
}

void fill_b(Model& model) {
  for (auto& [name, weight] : trainable(model))
    if (name.find("lora_b") != std::string::npos)
      weight->value.copy_(random_tensor(weight->value.sizes().vec(), 77, 0.2));
}

TEST(Lora, StartsAsTheBase) {
  const auto base = tiny_model(), model = adapted();
  const auto packed = pack(uneven_groups());
  EXPECT_EQ(max_difference(response_logprobs(base, packed), response_logprobs(model, packed)), 0);
}

TEST(Lora, SwitchedOffIsTheBaseAndOnIsNot) {
  const auto base = tiny_model();
  auto model = adapted();
  fill_b(model);
  const auto packed = pack(uneven_groups());
  EXPECT_GT(max_difference(response_logprobs(base, packed), response_logprobs(model, packed)),
            0.01);
  model.adapters_on = false;
  EXPECT_EQ(max_difference(response_logprobs(base, packed), response_logprobs(model, packed)), 0);
}

TEST(Lora, MergedWeightsComputeTheSame) {
  for (const auto& targets :
       {LoraSpec{}.targets, std::vector<std::string>{"v_proj", "up_proj", "down_proj"}}) {
    auto model = adapted({.rank = 3, .alpha = 6, .targets = targets});
    fill_b(model);
    class Source : public TensorSource {
     public:
      explicit Source(const NamedTensors& t) : tensors_(t.begin(), t.end()) {}
      const std::vector<TensorInfo>& tensors() const override { return infos_; }
      at::Tensor read_f32(const std::string& name) const override {
        return tensors_.at(name).to(at::kCPU, /*non_blocking=*/false, /*copy=*/true);
      }
      std::map<std::string, at::Tensor> tensors_;
      std::vector<TensorInfo> infos_;
    };
    const Source base(named_weights(tiny_model()));
    const auto merged = load_model(model.config, MergedWeights(base, lora_file(model, "base")));
    const auto packed = pack(uneven_groups());
    EXPECT_LT(max_difference(response_logprobs(merged, packed), response_logprobs(model, packed)),
              1e-5);
  }
}

TEST(Lora, TrainsNothingOfTheBase) {
  auto model = adapted();
  for (const auto& [name, weight] : trainable(model))
    EXPECT_NE(name.find("lora_"), std::string::npos) << name;
  EXPECT_EQ(trainable(model).size(), 2u * (4 + 7));
}

TEST(Lora, SurvivesPeftsForm) {
  auto model =
      adapted({.rank = 2, .alpha = 8, .targets = {"q_proj", "v_proj", "gate_proj", "down_proj"}});
  fill_b(model);
  auto again = tiny_model();
  add_lora(again, lora_file(model, "base"));
  const auto packed = pack(uneven_groups());
  EXPECT_EQ(max_difference(response_logprobs(again, packed), response_logprobs(model, packed)), 0);
}

TEST(Lora, RefusesATargetThatIsNoLinearLayer) {
  auto model = tiny_model();
  try {
    add_lora(model, {.rank = 2, .alpha = 2, .targets = {"lm_head"}}, Random(5, Stream::Init));
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(e.detail().find("lm_head"), std::string::npos);
  }
}

}  // namespace
}  // namespace hone::rl
