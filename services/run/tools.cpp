#include "services/run/tools.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "feedback/base/error.h"
#include "hone_revision.h"
#include "rl/data/conversation.h"
#include "rl/engine/sampler.h"
#include "rl/formats/base.h"
#include "rl/model/scalar_head.h"
#include "rl/model/score.h"
#include "rl/ops/cuda/device.h"
#include "rl/ops/matmul.h"
#include "rl/tokenizer/infill.h"
#include "rl/train/memory.h"
#include "services/run/failures.h"
#include "services/run/loading.h"
#include "services/shared/json.h"

namespace hone::run {
namespace {

using Json = nlohmann::ordered_json;
using shared::Fields;

constexpr std::int64_t kBatchLines = 256;
constexpr std::int64_t kPackTokens = 2048;
constexpr Fields::Length kText{0, std::size_t{16} << 20};

void print(const Json& line) { std::cout << line.dump() << '\n' << std::flush; }

/// Hands each line of standard input to `take` as JSON; `flush` is called every kBatchLines lines
/// and at the end. A bad line is told on standard error as JSON, after the good ones before it were
/// answered, and ends the command with 65.
int for_each_line(
    const std::function<void(Fields&, std::int64_t)>& take,
    const std::function<void()>& flush = [] {}) {
  shared::JsonLimits limits;
  limits.string_bytes = kText.max;
  limits.nodes = 10'000'000;
  std::string line;
  for (std::int64_t n = 1; std::getline(std::cin, line); ++n) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      const auto json = shared::parse_json(line, limits, n);
      Fields fields(json, "", n);
      take(fields, n);
    } catch (const Error& e) {
      flush();
      std::cerr
          << Json{{"error", {{"line", n}, {"detail", e.detail()}, {"field", e.pointer()}}}}.dump()
          << '\n';
      return kData;
    }
    if (n % kBatchLines == 0) flush();
  }
  flush();
  return kDone;
}

std::vector<rl::Message> messages_of(Fields& fields, const char* name) {
  std::vector<rl::Message> out;
  std::size_t i = 0;
  for (const auto& json : fields.list(name, 1, 10'000)) {
    Fields message(json, fields.at(name) + "/" + std::to_string(i++));
    out.push_back({message.text("role", {1, 100}), message.text("content", kText)});
    message.done();
  }
  return out;
}

rl::Prompt prompt_of(Fields& fields) {
  if (fields.value("prompt").is_string()) return fields.text("prompt", kText);
  return messages_of(fields, "prompt");
}

/// {"prefix", "suffix"} in a prompt's place, for bases that fill in a middle.
struct Infill {
  rl::InfillTokens tokens;
  rl::Ids prompt;
};
std::optional<Infill> infill_of(Fields& fields, const rl::Tokenizer& tokenizer) {
  if (!fields.has("prefix") && !fields.has("suffix")) return std::nullopt;
  if (fields.has("prompt"))
    throw Error(Code::Invalid, "give a prompt, or prefix and suffix, not both", "prompt");
  const auto prefix = fields.text("prefix", kText), suffix = fields.text("suffix", kText);
  const auto tokens = rl::infill_tokens(tokenizer);
  return Infill{tokens, rl::infill_prompt(tokenizer, tokens, prefix, suffix)};
}

std::vector<double> to_vector(const at::Tensor& values) {
  const float* p = values.const_data_ptr<float>();
  return {p, p + values.numel()};
}

}  // namespace

int tokenize(const Arguments& arguments) {
  const auto base = rl::open_base(arguments.places[0], std::nullopt);
  const auto rules = rl::text_rules(base);
  if (arguments.has("decode")) {
    return for_each_line([&](Fields& fields, std::int64_t) {
      const bool skip = fields.find_boolean("skip_special_tokens").value_or(false);
      rl::Ids ids;
      for (const auto& id : fields.list("ids", 0, 10'000'000)) {
        if (!id.is_number_integer()) fields.refuse("ids", "must be a list of integers");
        ids.push_back(id.get<std::int64_t>());
      }
      fields.done();
      print({{"text", rules.tokenizer->decode(ids, skip)}});
    });
  }
  return for_each_line([&](Fields& fields, std::int64_t) {
    rl::Ids ids;
    if (fields.has("messages")) {
      const auto messages = messages_of(fields, "messages");
      // A conversation that ends with the assistant is told as it is; any other as a prompt.
      const bool generation = fields.find_boolean("add_generation_prompt")
                                  .value_or(messages.back().role != "assistant");
      fields.done();
      if (!rules.chat)
        throw Error(Code::Invalid,
                    "this base's chat template cannot be used: " + rules.chat_problem, "messages");
      ids = rules.tokenizer->encode(rules.chat->render(messages, generation, rules.render_options),
                                    false);
    } else if (const auto infill = infill_of(fields, *rules.tokenizer)) {
      fields.done();
      ids = infill->prompt;
    } else {
      const auto text = fields.text("text", kText);
      const bool special = fields.find_boolean("add_special_tokens").value_or(true);
      fields.done();
      ids = rules.tokenizer->encode(text, special);
    }
    print({{"ids", ids}});
  });
}

int score(const Arguments& arguments) {
  const auto loaded = load_to_score(arguments);
  const bool rewards = loaded.model.config.output == rl::Output::Score;
  std::vector<rl::Group> groups;
  std::int64_t tokens = 0;
  const auto flush = [&] {
    if (groups.empty()) return;
    const auto packed = rewards ? rl::pack_whole(groups) : rl::pack(groups);
    const auto values = to_vector(rewards ? rl::scalars_at(loaded.model, packed, packed.last)
                                          : rl::response_logprobs(loaded.model, packed));
    auto next = values.begin();
    for (const auto& group : groups) {
      Json line = {{"prompt_ids", group.prompt}, {"ids", group.responses[0]}};
      if (rewards) {
        line["score"] = *next++;
      } else {
        const auto n = static_cast<std::ptrdiff_t>(group.responses[0].size());
        line["logprobs"] = std::vector<double>(next, next + n);
        next += n;
      }
      print(line);
    }
    groups.clear();
    tokens = 0;
  };
  return for_each_line(
      [&](Fields& fields, std::int64_t) {
        rl::Group group;
        if (const auto infill = infill_of(fields, *loaded.rules.tokenizer)) {
          const auto middle = fields.text("response", kText);
          fields.done();
          group = {infill->prompt,
                   {rl::infill_middle(*loaded.rules.tokenizer, infill->tokens, middle)}};
        } else {
          const auto prompt = prompt_of(fields);
          const auto response = fields.text("response", kText);
          fields.done();
          group = {rl::prompt_ids(loaded.rules, prompt),
                   {rl::response_ids(loaded.rules, prompt, response)}};
        }
        if (group.prompt.empty()) throw Error(Code::Invalid, "the prompt has no tokens", "prompt");
        if (group.responses[0].empty())
          throw Error(Code::Invalid, "the response has no tokens", "response");
        const auto n = rl::packed_tokens(group);
        if (n >= loaded.model.config.max_position_embeddings)
          throw Error(Code::Invalid,
                      "prompt and response have " + std::to_string(n) +
                          " tokens; the model takes " +
                          std::to_string(loaded.model.config.max_position_embeddings),
                      "response");
        if (tokens + n > kPackTokens) flush();
        tokens += n;
        groups.push_back(std::move(group));
      },
      flush);
}

int sample(const Arguments& arguments) {
  const auto defaults = sampling_of(arguments, {.max_tokens = 256});
  const auto default_seed = arguments.integer("seed").value_or(0);
  const auto default_n = arguments.integer("n").value_or(1);
  if (default_seed < 0) throw Error(Code::Invalid, "--seed must be 0 or more", "seed");
  if (default_n < 1 || default_n > 1024)
    throw Error(Code::Invalid, "--n must be from 1 to 1024", "n");

  rl::SamplingNeed need;
  need.slots = arguments.integer("slots").value_or(need.slots);
  need.max_tokens = defaults.max_tokens;
  if (need.slots < 1 || need.slots > 1024)
    throw Error(Code::Invalid, "--slots must be from 1 to 1024", "slots");

  const auto loaded = load_to_sample(arguments, need);
  std::vector<rl::SampleRequest> requests;
  std::vector<bool> of_several;
  std::vector<std::optional<rl::InfillTokens>> infills;
  const auto flush = [&] {
    rl::SamplerOptions options;
    options.slots = need.slots;
    options.stop_ids = loaded.rules.end_ids;
    options.tokenizer = loaded.rules.tokenizer.get();
    // Printed in the order of requests, each as soon as all before it are there.
    std::map<std::size_t, rl::Sample> waiting;
    std::size_t next = 0;
    rl::SamplerEvents events;
    events.on_sample = [&](std::size_t r, const rl::Sample& s) {
      waiting.emplace(r, s);
      for (auto it = waiting.find(next); it != waiting.end(); it = waiting.find(++next)) {
        const auto& one = it->second;
        const auto text = infills[next] ? rl::text_of(one, requests[next], *loaded.rules.tokenizer,
                                                      &*infills[next])
                                        : rl::text_of(one, requests[next], *loaded.rules.tokenizer);
        Json line = {{"text", text},
                     {"ids", one.ids},
                     {"logprobs", std::vector<double>(one.logprobs.begin(), one.logprobs.end())},
                     {"finish_reason", rl::to_string(one.finish)}};
        if (of_several[next]) line["index"] = requests[next].sample;
        print(line);
        waiting.erase(it);
      }
    };
    rl::sample_all(loaded.model, requests, options, events);
    requests.clear();
    of_several.clear();
    infills.clear();
  };
  return for_each_line(
      [&](Fields& fields, std::int64_t) {
        rl::SampleRequest request;
        const auto infill = infill_of(fields, *loaded.rules.tokenizer);
        request.prompt = infill ? infill->prompt : rl::prompt_ids(loaded.rules, prompt_of(fields));
        if (infill) request.stop_ids = {infill->tokens.end};
        request.options = defaults;
        if (const auto v = fields.find_integer("max_tokens", 1, 1 << 20))
          request.options.max_tokens = *v;
        if (const auto v = fields.find_number("temperature", 0, 100))
          request.options.temperature = *v;
        if (const auto v = fields.find_number("top_p", 0, 1)) request.options.top_p = *v;
        if (const auto v = fields.find_integer("top_k", 0, 1 << 30)) request.options.top_k = *v;
        if (const auto v = fields.find_number("min_p", 0, 1)) request.options.min_p = *v;
        if (const auto v = fields.find_number("repetition_penalty", 0, 100))
          request.options.repetition_penalty = *v;
        if (fields.has("stop")) request.stop_texts = fields.texts("stop", {1, 1000}, 16);
        request.seed = static_cast<std::uint64_t>(
            fields.find_integer("seed", 0, INT64_MAX).value_or(default_seed));
        const auto n = fields.find_integer("n", 1, 1024).value_or(default_n);
        fields.done();
        rl::check_sampling(request.options);
        if (request.prompt.empty())
          throw Error(Code::Invalid, "the prompt has no tokens", "prompt");
        if (static_cast<std::int64_t>(request.prompt.size()) >=
            loaded.model.config.max_position_embeddings)
          throw Error(Code::Invalid,
                      "the prompt has " + std::to_string(request.prompt.size()) +
                          " tokens; the model takes " +
                          std::to_string(loaded.model.config.max_position_embeddings),
                      "prompt");
        for (std::int64_t i = 0; i < n; ++i) {
          request.sample = static_cast<std::uint64_t>(i);
          requests.push_back(request);
          of_several.push_back(n > 1);
          infills.push_back(infill ? std::optional(infill->tokens) : std::nullopt);
        }
      },
      flush);
}

int inspect(const Arguments& arguments) {
  const auto base = rl::open_base(arguments.places[0], std::nullopt);
  std::map<std::string, std::int64_t> types;
  Json tensors = Json::array();
  for (const auto& t : base.weights->tensors()) {
    ++types[t.dtype];
    tensors.push_back({{"name", t.name}, {"dtype", t.dtype}, {"shape", t.shape}});
  }
  const auto parameters = rl::parameters(base.config);
  Json out = {{"description", base.description},  {"name", base.name},
              {"license", base.license},          {"sha256", base.sha256},
              {"quantised", base.quantised},      {"parameters", parameters},
              {"f32_bytes", parameters * 4},      {"tensor_types", types},
              {"tokens", base.tokenizer->size()}, {"chat_template", base.chat != nullptr},
              {"chat_problem", base.chat_problem}};
  out["config"] = Json::parse(rl::write_config_json(base.config, "float32"));
  out["eos_token_ids"] = base.config.eos_token_ids;
  out["files"] = Json::array();
  for (const auto& file : base.side_files)
    out["files"].push_back(
        {{"name", file.name}, {"bytes", file.bytes.size()}, {"generated", file.generated}});
  out["tensors"] = std::move(tensors);
  std::cout << out.dump(2) << '\n';
  return kDone;
}

int doctor() {
  const auto plan = rl::probe_matmul();
  std::string why;
  const bool cuda = rl::cuda::available(&why);
  const Json out = {
      {"revision", HONE_REVISION},
      {"libtorch", at::show_config()},
      {"parallel", at::get_parallel_info()},
      {"threads", at::get_num_threads()},
      {"cpu_capability", at::get_cpu_capability()},
      {"available_bytes", rl::available_memory()},
      {"cuda", cuda ? Json{{"name", rl::cuda::device_name()},
                           {"memory_bytes", rl::cuda::total_memory()},
                           {"bfloat16", rl::cuda::multiplies_bf16()}}
                    : Json(why)},
      {"computes_on", plan.cuda ? "cuda" : "cpu"},
      {"matmul",
       {{"onednn", plan.onednn}, {"direct_rows", plan.direct_rows}, {"threads", plan.threads}}}};
  std::cout << out.dump(2) << '\n';
  return kDone;
}

}  // namespace hone::run
