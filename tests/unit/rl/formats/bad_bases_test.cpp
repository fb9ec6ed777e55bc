// Model folders whose files do not fit each other, each with its own refusal.
#include <ATen/ops/empty.h>
#include <gmock/gmock.h>

#include <cstdint>

#include "rl/formats/base.h"
#include "rl/formats/files.h"
#include "rl/formats/safetensors.h"
#include "tests/unit/rl/formats/support.h"

namespace hone::rl {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kTiny = fs::path(HONE_SOURCE_DIR) / "tests/golden/rl/formats/tiny";

/// A copy of the tiny model to spoil.
struct Copy : Folder {
  Copy() { fs::copy(kTiny, path, fs::copy_options::recursive); }
  void edit(const std::string& file, const std::string& from, const std::string& to) const {
    auto text = read_file(path / file, 1 << 24);
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    put(file, text.replace(at, from.size(), to));
  }
  std::string opened() const {
    return refusal([&] { open_base(path); });
  }
  // The weights, with one changed: given another shape, another name, or left out.
  void rewrite(const std::string& name, const std::string& new_name,
               const std::vector<std::int64_t>& shape) const {
    NamedTensors tensors;
    {
      const SafetensorsFile file(path / "model.safetensors");
      for (const auto& info : file.tensors()) {
        if (info.name != name)
          tensors.emplace_back(info.name, file.read(info.name));
        else if (!new_name.empty())
          tensors.emplace_back(new_name,
                               shape.empty() ? file.read(info.name) : at::empty(shape, at::kFloat));
      }
    }
    write_safetensors(path / "model.safetensors", tensors);
  }
};

TEST(BadBase, TheCopyIsGood) { EXPECT_EQ(Copy().opened(), "accepted"); }

TEST(BadBase, IsRefusedForWeightsThatDoNotFitTheShape) {
  const std::string norm = "model.layers.1.input_layernorm.weight";
  Copy missing;
  missing.rewrite(norm, "", {});
  EXPECT_THAT(missing.opened(), HasSubstr(norm + ": is missing"));
  Copy renamed;
  renamed.rewrite(norm, "model.layers.1.extra.weight", {});
  EXPECT_THAT(renamed.opened(), HasSubstr(norm + ": is missing"));
  Copy reshaped;
  reshaped.rewrite(norm, norm, {25});
  EXPECT_THAT(reshaped.opened(),
              HasSubstr(norm + ": has the shape [25], the configuration makes [24]"));
  Copy tied;
  tied.edit("config.json", "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
  EXPECT_THAT(tied.opened(), HasSubstr("lm_head.weight: is there although tie_word_embeddings"));
  Copy fewer;
  fewer.edit("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
  EXPECT_THAT(fewer.opened(),
              HasSubstr("model.layers.1.input_layernorm.weight: is no tensor of the model"));
}

TEST(BadBase, IsRefusedForATokenizerThatDoesNotFitTheWeights) {
  Copy copy;
  copy.edit("tokenizer.json", "\"added_tokens\": [",
            "\"added_tokens\": [{\"id\": 500, \"content\": \"<new>\", \"special\": true},");
  EXPECT_THAT(copy.opened(),
              HasSubstr("vocab_size: the tokenizer has ids up to 500, the weights have 424 rows"));
}

TEST(BadBase, IsRefusedForFilesThatAreNotThere) {
  for (const auto& [file, says] :
       {std::pair{"config.json", "config.json: is not there"},
        {"tokenizer.json", "tokenizer.json: is not there"},
        {"model.safetensors",
         "model.safetensors: is not there, nor model.safetensors.index.json"}}) {
    Copy copy;
    fs::remove(copy.path / file);
    EXPECT_THAT(copy.opened(), HasSubstr(says));
  }
  try {
    open_base("/no/such/base");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::NotFound);
  }
}

TEST(BadBase, IsRefusedForALinkInsideTheFolder) {
  for (const auto* file :
       {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"}) {
    Copy copy;
    fs::remove(copy.path / file);
    fs::create_symlink(kTiny / file, copy.path / file);
    EXPECT_THAT(copy.opened(), HasSubstr("is a symbolic link")) << file;
  }
}

TEST(BadBase, IsRefusedForABrokenSideFile) {
  Copy generation;
  generation.put("generation_config.json", "{");
  EXPECT_THAT(generation.opened(), HasSubstr("generation_config.json: no valid JSON"));
  Copy settings;
  settings.put("tokenizer_config.json", R"({"chat_template": 5})");
  EXPECT_THAT(settings.opened(),
              HasSubstr("tokenizer_config.json: chat_template: a string or a list"));
}

TEST(BadBase, OpensWithATemplateThatIsNotUnderstoodAndSaysWhy) {
  const Copy copy;
  copy.put("chat_template.jinja", "{{ messages | pprint }}");
  const auto base = open_base(copy.path);
  EXPECT_EQ(base.chat, nullptr);
  EXPECT_THAT(base.chat_problem, HasSubstr("the filter \"pprint\" is not supported"));
}

TEST(BaseFolder, IsHashedOverAllItsFiles) {
  const Copy copy;
  const auto before = open_base(copy.path).sha256;
  EXPECT_EQ(before.size(), 64u);
  EXPECT_EQ(open_base(copy.path).sha256, before);
  copy.put("LICENSE", "anyone may");
  const auto base = open_base(copy.path);
  EXPECT_NE(base.sha256, before);
  EXPECT_EQ(base.side_files.back().name, "LICENSE");
  EXPECT_FALSE(base.side_files.back().generated);
}

TEST(BaseFolder, TakesTheLicenceFromItsCard) {
  const Copy copy;
  copy.put("README.md", "---\ntags:\n- x\nlicense: apache-2.0\n---\n# Tiny\n");
  EXPECT_EQ(open_base(copy.path).license, "apache-2.0");
}

}  // namespace
}  // namespace hone::rl
