// tokenizer.json to a spec. Every part is either understood whole or refused by its name.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>

#include "feedback/base/error.h"
#include "rl/formats/json.h"
#include "rl/tokenizer/spec.h"

namespace hone::rl {
namespace {

using nlohmann::json;

constexpr std::int64_t kIdMax = 1 << 22;
constexpr std::size_t kPostMax = 1000;
const std::string kFile = "tokenizer.json";

[[noreturn]] void refuse_type(const JsonObject& object, const std::string& part) {
  object.refuse("type", fmt::format("{} \"{}\" is not supported", part, object.text("type")));
}

/// Calls `read` for each step: those of a Sequence's list `key`, or the one object.
template <class Read>
void each_step(const JsonObject& object, const std::string& key, const Read& read) {
  if (object.text("type") != "Sequence") {
    read(object);
    return;
  }
  object.only({"type", std::string_view(key)});
  const auto& list = object.at(key);
  if (!list.is_array()) object.refuse(key, "a list is wanted");
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonObject step(list[i], object.label(), fmt::format("{}[{}]", object.path(key), i));
    if (step.text("type") == "Sequence")
      step.refuse("type", "a Sequence inside a Sequence is not supported");
    read(step);
  }
}

AddedToken read_added(const JsonObject& object) {
  object.only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
  AddedToken token;
  token.id = object.integer("id");
  token.content = object.text("content");
  token.single_word = object.flag("single_word", false);
  token.lstrip = object.flag("lstrip", false);
  token.rstrip = object.flag("rstrip", false);
  token.normalized = object.flag("normalized", true);
  token.special = object.flag("special", false);
  return token;
}

std::string literal_pattern(const JsonObject& object) {
  const auto pattern = object.object("pattern");
  pattern.only({"String"});
  auto text = pattern.text("String");
  if (text.empty()) pattern.refuse("String", "is empty");
  return text;
}

NormalizerStep read_normalizer(const JsonObject& object) {
  const auto type = object.text("type");
  if (type == "NFC") {
    object.only({"type"});
    return {NormalizerStep::Kind::Nfc, "", ""};
  }
  if (type == "Prepend") {
    object.only({"type", "prepend"});
    return {NormalizerStep::Kind::Prepend, "", object.text("prepend")};
  }
  if (type == "Replace") {
    object.only({"type", "pattern", "content"});
    return {NormalizerStep::Kind::Replace, literal_pattern(object), object.text("content")};
  }
  refuse_type(object, "normalizer");
}

PreTokenizerStep::Prepend read_prepend(const JsonObject& object) {
  using Prepend = PreTokenizerStep::Prepend;
  if (!object.has("prepend_scheme"))
    return object.flag("add_prefix_space", true) ? Prepend::Always : Prepend::Never;
  const auto scheme = object.text("prepend_scheme");
  if (scheme == "always") return Prepend::Always;
  if (scheme == "first") return Prepend::First;
  if (scheme == "never") return Prepend::Never;
  object.refuse("prepend_scheme", fmt::format("\"{}\" is not supported", scheme));
}

std::string read_replacement(const JsonObject& object) {
  auto text = object.text("replacement");
  if (text.empty()) object.refuse("replacement", "is empty");
  return text;
}

void read_split(const JsonObject& object, PreTokenizerStep& step) {
  object.only({"type", "pattern", "behavior", "invert"});
  const auto pattern = object.object("pattern");
  pattern.only({"String", "Regex"});
  step.literal = pattern.has("String");
  step.pattern = step.literal ? literal_pattern(object) : pattern.text("Regex");
  if (step.pattern.empty()) pattern.refuse("Regex", "is empty");
  step.invert = object.flag("invert", false);
  const auto behaviour = object.text("behavior");
  if (behaviour == "Isolated")
    step.behaviour = PreTokenizerStep::Behaviour::Isolated;
  else if (behaviour == "Removed")
    step.behaviour = PreTokenizerStep::Behaviour::Removed;
  else
    object.refuse("behavior",
                  fmt::format("\"{}\" is not supported (Isolated and Removed are)", behaviour));
}

PreTokenizerStep read_pre_tokenizer(const JsonObject& object) {
  using Kind = PreTokenizerStep::Kind;
  const auto type = object.text("type");
  PreTokenizerStep step{};
  if (type == "ByteLevel") {
    object.only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    step.kind = Kind::ByteLevel;
    step.add_prefix_space = object.flag("add_prefix_space", true);
    step.use_regex = object.flag("use_regex", true);
  } else if (type == "Split") {
    step.kind = Kind::Split;
    read_split(object, step);
  } else if (type == "Digits") {
    object.only({"type", "individual_digits"});
    step.kind = Kind::Digits;
    step.individual = object.flag("individual_digits", false);
  } else if (type == "Metaspace") {
    object.only({"type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"});
    step.kind = Kind::Metaspace;
    step.replacement = read_replacement(object);
    step.prepend = read_prepend(object);
    step.split = object.flag("split", true);
  } else {
    refuse_type(object, "pre-tokenizer");
  }
  return step;
}

void read_template(const JsonObject& object, std::vector<PostToken>& post) {
  object.only({"type", "single", "pair", "special_tokens"});
  const auto tokens = object.object("special_tokens");
  const auto& places = object.at("single");
  if (!places.is_array()) object.refuse("single", "a list is wanted");
  for (std::size_t i = 0; i < places.size(); ++i) {
    const JsonObject place(places[i], object.label(),
                           fmt::format("{}[{}]", object.path("single"), i));
    place.only({"Sequence", "SpecialToken"});
    if (place.has("Sequence")) {
      if (place.object("Sequence").text("id") != "A")
        place.refuse("Sequence", "only the first text has a place in `single`");
      if (std::ranges::find(post, -1, &PostToken::id) != post.end())
        place.refuse("Sequence", "a second place for the text is not supported");
      post.push_back({});
      continue;
    }
    const auto name = place.object("SpecialToken").text("id");
    const auto token = tokens.object(name);
    for (const auto id : token.integers("ids")) {
      if (id < 0 || id >= kIdMax) token.refuse("ids", "is out of range");
      post.push_back({id, name});
      if (post.size() > kPostMax)  // a name may stand in many places, for many ids each
        object.refuse("single", fmt::format("more than {} tokens around the text", kPostMax));
    }
  }
}

void read_post_processor(const JsonObject& object, std::vector<PostToken>& post) {
  const auto type = object.text("type");
  if (type == "ByteLevel") return;  // moves offsets, not ids
  if (type != "TemplateProcessing") refuse_type(object, "post-processor");
  if (!post.empty()) object.refuse("type", "a second TemplateProcessing is not supported");
  read_template(object, post);
}

DecoderStep read_decoder(const JsonObject& object) {
  using Kind = DecoderStep::Kind;
  const auto type = object.text("type");
  DecoderStep step{};
  if (type == "ByteLevel") {
    step.kind = Kind::ByteLevel;  // its options are those of the pre-tokenizer and change no text
  } else if (type == "Replace") {
    object.only({"type", "pattern", "content"});
    step.kind = Kind::Replace;
    step.from = literal_pattern(object);
    step.to = object.text("content");
  } else if (type == "ByteFallback") {
    step.kind = Kind::ByteFallback;
  } else if (type == "Fuse") {
    step.kind = Kind::Fuse;
  } else if (type == "Strip") {
    object.only({"type", "content", "start", "stop"});
    step.kind = Kind::Strip;
    step.from = object.text("content");
    if (step.from.empty()) object.refuse("content", "is empty");
    step.start = object.integer("start");
    step.stop = object.integer("stop");
  } else if (type == "Metaspace") {
    object.only({"type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"});
    step.kind = Kind::Metaspace;
    step.from = read_replacement(object);
    step.prepend = read_prepend(object);
  } else {
    refuse_type(object, "decoder");
  }
  return step;
}

// "a b" or ["a", "b"].
std::pair<std::string, std::string> read_merge(const JsonObject& object, const json& merge,
                                               std::size_t i) {
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    const auto space = text.find(' ');
    if (space != std::string::npos && space > 0 && space + 1 < text.size() &&
        text.find(' ', space + 1) == std::string::npos)
      return {text.substr(0, space), text.substr(space + 1)};
  } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
             merge[1].is_string()) {
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  object.refuse(fmt::format("merges[{}]", i), "two tokens are wanted");
}

void must_be_off(const JsonObject& object, const std::string& key) {
  if (!object.has(key)) return;
  const auto& value = object.at(key);
  if ((value.is_string() && value.get_ref<const std::string&>().empty()) ||
      (value.is_number() && value.get<double>() == 0))
    return;
  object.refuse(key, "is not supported");
}

BpeSpec read_bpe(const JsonObject& object) {
  object.only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
               "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
  // Old files leave the type out; then `merges` tells a BPE.
  if (object.has("type") ? object.text("type") != "BPE" : !object.has("merges"))
    object.refuse("type", fmt::format("model \"{}\" is not supported (BPE is)",
                                      object.find_text("type").value_or("?")));
  must_be_off(object, "dropout");
  must_be_off(object, "continuing_subword_prefix");
  must_be_off(object, "end_of_word_suffix");
  BpeSpec bpe;
  bpe.unk_token = object.find_text("unk_token");
  if (bpe.unk_token && bpe.unk_token->empty()) bpe.unk_token.reset();
  bpe.fuse_unk = object.flag("fuse_unk", false);
  bpe.byte_fallback = object.flag("byte_fallback", false);
  bpe.ignore_merges = object.flag("ignore_merges", false);

  const auto vocab = object.object("vocab");
  for (const auto& [token, value] : vocab.value().items()) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= kIdMax)
      vocab.refuse(token, fmt::format("an id from 0 to {} is wanted", kIdMax - 1));
    const auto id = value.get<std::size_t>();
    if (token.empty()) continue;  // can never be produced
    if (id >= bpe.tokens.size()) bpe.tokens.resize(id + 1);
    if (!bpe.tokens[id].empty())
      vocab.refuse(token, fmt::format("has the id {} of \"{}\"", id, bpe.tokens[id]));
    bpe.tokens[id] = token;
  }
  const auto& merges = object.at("merges");
  if (!merges.is_array()) object.refuse("merges", "a list is wanted");
  bpe.merges.reserve(merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i)
    bpe.merges.push_back(read_merge(object, merges[i], i));
  return bpe;
}

}  // namespace

// `truncation` and `padding` are passed over: they are a caller's wishes for a batch that were
// saved along, and every loader sets its own.
TokenizerSpec read_tokenizer_json(std::string_view text) {
  const auto value = parse_json(text, kFile);
  const JsonObject object(value, kFile);
  object.only({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
               "post_processor", "decoder", "model"});
  TokenizerSpec spec;
  spec.bpe = read_bpe(object.object("model"));
  if (object.has("added_tokens")) {
    const auto& list = object.at("added_tokens");
    if (!list.is_array()) object.refuse("added_tokens", "a list is wanted");
    for (std::size_t i = 0; i < list.size(); ++i)
      spec.added.push_back(
          read_added(JsonObject(list[i], kFile, fmt::format("added_tokens[{}]", i))));
  }
  if (const auto part = object.find_object("normalizer"))
    each_step(*part, "normalizers",
              [&](const JsonObject& step) { spec.normalizers.push_back(read_normalizer(step)); });
  if (const auto part = object.find_object("pre_tokenizer"))
    each_step(*part, "pretokenizers", [&](const JsonObject& step) {
      spec.pre_tokenizers.push_back(read_pre_tokenizer(step));
    });
  if (const auto part = object.find_object("post_processor"))
    each_step(*part, "processors",
              [&](const JsonObject& step) { read_post_processor(step, spec.post); });
  if (const auto part = object.find_object("decoder"))
    each_step(*part, "decoders",
              [&](const JsonObject& step) { spec.decoders.push_back(read_decoder(step)); });
  return spec;
}

}  // namespace hone::rl
