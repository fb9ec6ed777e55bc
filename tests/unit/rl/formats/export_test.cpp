#include "rl/formats/export.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "rl/formats/files.h"
#include "rl/formats/reward_base.h"
#include "tests/unit/rl/formats/support.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kGolden = fs::path(HONE_SOURCE_DIR) / "tests/golden/rl/formats";

NamedTensors weights_of(const Base& base) {
  NamedTensors weights;
  for (const auto& info : base.weights->tensors())
    weights.emplace_back(info.name, base.weights->read_f32(info.name));
  return weights;
}

const ModelCard kCard{.name = "A \"name\"\nof two lines",
                      .base_model = "team/base: one",
                      .tags = {"dpo"},
                      .summary = "What it is.",
                      .lineage = R"({"seed": 7})"};

TEST(ExportHf, OpensAgainAsTheSameModelAndCopiesSideFilesByteForByte) {
  const Folder folder;
  const auto base = open_base(kGolden / "tiny");
  export_hf(folder.path / "out", base, weights_of(base), kCard, WeightType::BFloat16);
  const auto again = open_base(folder.path / "out");
  for (const auto& info : base.weights->tensors())  // the tiny model is bf16, so nothing is lost
    EXPECT_TRUE(at::equal(base.weights->read_f32(info.name), again.weights->read_f32(info.name)))
        << info.name;
  EXPECT_EQ(again.weights->tensors().front().dtype, "BF16");
  EXPECT_EQ(again.config.rope_scaling.type, "llama3");
  for (const auto* name :
       {"tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"})
    EXPECT_EQ(read_file(folder.path / "out" / name, 1 << 20),
              read_file(kGolden / "tiny" / name, 1 << 20))
        << name;
  for (const auto& entry : fs::directory_iterator(folder.path / "out"))
    EXPECT_NE(entry.path().extension(), ".part");
}

TEST(ExportHf, SaysInItsCardWhereItComesFrom) {
  const Folder folder;
  const auto base = open_base(kGolden / "tiny");
  export_hf(folder.path, base, weights_of(base), kCard);
  const auto card = read_file(folder.path / "README.md", 1 << 20);
  EXPECT_TRUE(
      card.starts_with("---\nbase_model: \"team/base: one\"\nbase_model_relation: "
                       "finetune\nlibrary_name: transformers\n"));
  EXPECT_THAT(card, HasSubstr("# A \"name\" of two lines\n"));
  EXPECT_THAT(card, HasSubstr("\"seed\": 7"));
  EXPECT_THAT(card, HasSubstr(base.sha256));
}

TEST(ExportHf, RefusesWeightsThatAreNotTheModels) {
  const Folder folder;
  const auto base = open_base(kGolden / "tiny");
  auto weights = weights_of(base);
  const auto exported = [&] {
    return refusal([&] { export_hf(folder.path / "out", base, weights, kCard); });
  };
  const auto whole = weights;
  weights.pop_back();
  EXPECT_THAT(exported(), HasSubstr("is not given"));
  weights = whole;
  weights.emplace_back("extra", at::zeros({1}));
  EXPECT_THAT(exported(), HasSubstr("extra: is no weight of this model"));
  weights = whole;
  weights[0].second = at::zeros({3, 3});
  EXPECT_THAT(exported(), HasSubstr("has the shape [3, 3]"));
  weights = whole;
  weights.push_back(whole[0]);
  EXPECT_THAT(exported(), HasSubstr("is given twice"));
  EXPECT_FALSE(fs::exists(folder.path / "out"));
  weights = whole;
  EXPECT_THAT(refusal([&] {
                export_hf(
                    folder.path / "out", base, weights,
                    {.name = "x", .base_model = "", .tags = {}, .summary = "", .lineage = "[1]"});
              }),
              HasSubstr("a JSON object is wanted"));
}

LoraFile small_lora() {
  LoraFile lora{.rank = 2, .alpha = 4, .targets = {"v_proj"}};
  for (const auto* layer : {"0", "1"}) {
    const auto name = std::string("base_model.model.model.layers.") + layer + ".self_attn.v_proj.";
    lora.tensors.emplace_back(name + "lora_B.weight", at::zeros({12, 2}));
    lora.tensors.emplace_back(name + "lora_A.weight", at::zeros({2, 24}).fill_(0.5));
  }
  return lora;
}

TEST(ExportPeft, IsReadBackTheSame) {
  const Folder folder;
  const auto base = open_base(kGolden / "tiny");
  export_peft(folder.path, base, small_lora(), kCard);
  const auto again = read_peft(folder.path, base.config);
  EXPECT_EQ(again.rank, 2);
  EXPECT_EQ(again.alpha, 4);
  EXPECT_FALSE(again.rank_stabilised);
  EXPECT_EQ(again.targets, std::vector<std::string>{"v_proj"});
  ASSERT_EQ(again.tensors.size(), 4u);
  EXPECT_THAT(again.tensors[0].first,
              HasSubstr("layers.0.self_attn.v_proj.lora_A"));  // in the order of the layers
  EXPECT_EQ(again.tensors[0].second.const_data_ptr<float>()[0], 0.5F);
  EXPECT_THAT(read_file(folder.path / "README.md", 1 << 20), HasSubstr("library_name: peft"));
}

TEST(ExportPeft, ARewardAdapterHoldsItsScoreHeadAndIsReadBackTheSame) {
  const Folder folder;
  const auto base = reward_base(open_base(kGolden / "tiny"));
  auto lora = small_lora();
  lora.output = Output::Score;
  lora.score = at::zeros({1, 24}).fill_(0.25);
  export_peft(folder.path, base, lora, kCard);
  const auto again = read_peft(folder.path, base.config);
  EXPECT_EQ(again.output, Output::Score);
  EXPECT_EQ(again.tensors.size(), 4u);
  ASSERT_EQ(again.score.numel(), 24);
  EXPECT_EQ(again.score.const_data_ptr<float>()[23], 0.25F);
  const auto card = read_file(folder.path / "README.md", 1 << 20);
  EXPECT_THAT(card, HasSubstr("AutoPeftModelForSequenceClassification"));
  EXPECT_THAT(card, HasSubstr("num_labels=1, pad_token_id="));
  EXPECT_THAT(card, HasSubstr("text-classification"));

  lora.score = at::zeros({2, 24});
  EXPECT_THAT(refusal([&] { export_peft(folder.path, base, lora, kCard); }),
              HasSubstr("score.weight: has the shape [2, 24], wanted is [1, 24]"));
  lora.score = at::Tensor();
  EXPECT_THAT(refusal([&] { export_peft(folder.path, base, lora, kCard); }),
              HasSubstr("score.weight: is missing"));
}

TEST(ExportPeft, RefusesTensorsThatDoNotFit) {
  const Folder folder;
  const auto base = open_base(kGolden / "tiny");
  const auto exported = [&](const std::function<void(LoraFile&)>& change) {
    auto lora = small_lora();
    change(lora);
    return refusal([&] { export_peft(folder.path / "out", base, lora, kCard); });
  };
  EXPECT_THAT(exported([](auto& lora) { lora.tensors.pop_back(); }),
              HasSubstr("layers.1.self_attn.v_proj.lora_A.weight: is missing"));
  EXPECT_THAT(exported([](auto& lora) { lora.rank = 3; }),
              HasSubstr("has the shape [2, 24], wanted is [3, 24]"));
  EXPECT_THAT(exported([](auto& lora) { lora.rank = 0; }), HasSubstr("r: 0 is not between"));
  EXPECT_THAT(exported([](auto& lora) { lora.targets = {"lm_head"}; }),
              HasSubstr("\"lm_head\" is no linear layer"));
  EXPECT_THAT(exported([](auto& lora) { lora.targets = {"q_proj"}; }),
              HasSubstr("q_proj.lora_A.weight: is missing"));
  EXPECT_THAT(exported([](auto& lora) { lora.tensors.emplace_back("x", at::zeros({1})); }),
              HasSubstr("x: is no tensor of an adapter"));
  EXPECT_FALSE(fs::exists(folder.path / "out"));
}

}  // namespace
}  // namespace hone::rl
