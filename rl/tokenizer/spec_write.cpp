// A spec as tokenizer.json, in the order the `tokenizers` package writes it.
#include <nlohmann/json.hpp>

#include <string>

#include "rl/tokenizer/spec.h"

namespace hone::rl {
namespace {

using json = nlohmann::ordered_json;

json added_json(const AddedToken& token) {
  return {{"id", token.id},          {"content", token.content}, {"single_word", token.single_word},
          {"lstrip", token.lstrip},  {"rstrip", token.rstrip},   {"normalized", token.normalized},
          {"special", token.special}};
}

json normalizer_json(const NormalizerStep& step) {
  switch (step.kind) {
    case NormalizerStep::Kind::Nfc:
      return {{"type", "NFC"}};
    case NormalizerStep::Kind::Prepend:
      return {{"type", "Prepend"}, {"prepend", step.to}};
    case NormalizerStep::Kind::Replace:
      return {{"type", "Replace"}, {"pattern", {{"String", step.from}}}, {"content", step.to}};
  }
  return nullptr;
}

const char* scheme_name(PreTokenizerStep::Prepend prepend) {
  switch (prepend) {
    case PreTokenizerStep::Prepend::Always:
      return "always";
    case PreTokenizerStep::Prepend::First:
      return "first";
    case PreTokenizerStep::Prepend::Never:
      return "never";
  }
  return "";
}

json pre_tokenizer_json(const PreTokenizerStep& step) {
  using Kind = PreTokenizerStep::Kind;
  switch (step.kind) {
    case Kind::ByteLevel:
      return {{"type", "ByteLevel"},
              {"add_prefix_space", step.add_prefix_space},
              {"trim_offsets", true},
              {"use_regex", step.use_regex}};
    case Kind::Digits:
      return {{"type", "Digits"}, {"individual_digits", step.individual}};
    case Kind::Metaspace:
      return {{"type", "Metaspace"},
              {"replacement", step.replacement},
              {"prepend_scheme", scheme_name(step.prepend)},
              {"split", step.split}};
    case Kind::Split:
      return {{"type", "Split"},
              {"pattern", {{step.literal ? "String" : "Regex", step.pattern}}},
              {"behavior",
               step.behaviour == PreTokenizerStep::Behaviour::Isolated ? "Isolated" : "Removed"},
              {"invert", step.invert}};
  }
  return nullptr;
}

json decoder_json(const DecoderStep& step) {
  using Kind = DecoderStep::Kind;
  switch (step.kind) {
    case Kind::ByteLevel:
      return {{"type", "ByteLevel"},
              {"add_prefix_space", true},
              {"trim_offsets", true},
              {"use_regex", true}};
    case Kind::Replace:
      return {{"type", "Replace"}, {"pattern", {{"String", step.from}}}, {"content", step.to}};
    case Kind::ByteFallback:
      return {{"type", "ByteFallback"}};
    case Kind::Fuse:
      return {{"type", "Fuse"}};
    case Kind::Strip:
      return {
          {"type", "Strip"}, {"content", step.from}, {"start", step.start}, {"stop", step.stop}};
    case Kind::Metaspace:
      return {{"type", "Metaspace"},
              {"replacement", step.from},
              {"prepend_scheme", scheme_name(step.prepend)},
              {"split", true}};
  }
  return nullptr;
}

template <class Step, class Write>
json steps_json(const std::vector<Step>& steps, const char* key, const Write& write) {
  if (steps.empty()) return nullptr;
  if (steps.size() == 1) return write(steps[0]);
  json list = json::array();
  for (const auto& step : steps) list.push_back(write(step));
  return {{"type", "Sequence"}, {key, list}};
}

json post_json(const std::vector<PostToken>& post) {
  if (post.empty())
    return {{"type", "ByteLevel"},
            {"add_prefix_space", true},
            {"trim_offsets", false},
            {"use_regex", true}};
  json single = json::array();
  json tokens = json::object();
  // One name may have stood for several ids; here each id has its own.
  const auto name_of = [&](const PostToken& token) {
    auto name = token.content;
    while (tokens.contains(name) && tokens[name]["ids"][0] != token.id)
      name += "#" + std::to_string(token.id);
    tokens[name] = {{"id", name}, {"ids", {token.id}}, {"tokens", {name}}};
    return name;
  };
  const auto place = [&](const PostToken& token, const char* text, int type) {
    if (token.id < 0) return json{{"Sequence", {{"id", text}, {"type_id", type}}}};
    return json{{"SpecialToken", {{"id", name_of(token)}, {"type_id", type}}}};
  };
  for (const auto& token : post) single.push_back(place(token, "A", 0));
  json pair = single;
  for (const auto& token : post) pair.push_back(place(token, "B", 1));
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", tokens}};
}

json bpe_json(const BpeSpec& bpe) {
  json vocab = json::object();
  // Appended behind the object's own search: tokens differ, and looking for each among all before
  // it would take minutes.
  auto& entries = vocab.get_ref<json::object_t&>();
  for (std::size_t id = 0; id < bpe.tokens.size(); ++id)
    if (!bpe.tokens[id].empty())
      static_cast<std::vector<std::pair<const std::string, json>>&>(entries).emplace_back(
          bpe.tokens[id], id);

  // "a b" is what every version of the package reads; the pair form is needed only for tokens with
  // spaces.
  bool spaces = false;
  for (const auto& [left, right] : bpe.merges)
    spaces = spaces || left.find(' ') != std::string::npos || right.find(' ') != std::string::npos;
  json merges = json::array();
  for (const auto& [left, right] : bpe.merges) {
    if (spaces)
      merges.push_back({left, right});
    else
      merges.push_back(left + " " + right);
  }
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", bpe.unk_token ? json(*bpe.unk_token) : json(nullptr)},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", bpe.fuse_unk},
          {"byte_fallback", bpe.byte_fallback},
          {"ignore_merges", bpe.ignore_merges},
          {"vocab", std::move(vocab)},
          {"merges", std::move(merges)}};
}

}  // namespace

std::string write_tokenizer_json(const TokenizerSpec& spec) {
  json added = json::array();
  for (const auto& token : spec.added) added.push_back(added_json(token));
  const json whole = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", steps_json(spec.normalizers, "normalizers", normalizer_json)},
      {"pre_tokenizer", steps_json(spec.pre_tokenizers, "pretokenizers", pre_tokenizer_json)},
      {"post_processor", post_json(spec.post)},
      {"decoder", steps_json(spec.decoders, "decoders", decoder_json)},
      {"model", bpe_json(spec.bpe)}};
  return whole.dump(2) + "\n";
}

}  // namespace hone::rl
