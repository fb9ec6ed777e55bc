// The engine's half of scripts/bench-engine, one measure a call, its result as one JSON line:
//   engine_bench tokenizer FOLDER TEXT        bytes of lines encoded a second, one thread
//   engine_bench train BASE ROWS TOKENS DTYPE tokens forward and backward a second; ROWS: JSON
//   lines
//                                             {"prompt", "responses"} of ids, TOKENS trunk tokens a
//                                             pass
//   engine_bench generate BASE REQUESTS DTYPE tokens drawn a second; REQUESTS: JSON lines
//                                             {"prompt", "tokens", "sample"}, decoded together; and
//                                             the bytes that a step must read at least
//   engine_bench memory                       bytes that all threads together read a second
// Rates count the tokens a padded peer would be given too: those of prompt and response of every
// row, a shared prompt once for each response that has it.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <sys/resource.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "rl/engine/decode.h"
#include "rl/engine/sampler.h"
#include "rl/formats/base.h"
#include "rl/formats/files.h"
#include "rl/model/score.h"
#include "rl/ops/cuda/device.h"
#include "rl/ops/matmul.h"
#include "rl/tokenizer/tokenizer.h"

namespace {

using namespace hone::rl;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<Json> lines_of(const char* path) {
  std::ifstream file(path);
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
  return lines;
}

Json tokenizer_speed(const char* folder, const char* path) {
  const auto tokenizer = Tokenizer::from_json(
      read_file(std::filesystem::path(folder) / "tokenizer.json", 100'000'000));
  std::ifstream file(path);
  std::vector<std::string> lines;
  std::size_t bytes = 0;
  for (std::string line; std::getline(file, line);) {
    bytes += line.size() + 1;
    lines.push_back(line + "\n");
  }
  std::size_t tokens = 0;
  const auto start = Clock::now();
  for (const auto& line : lines) tokens += tokenizer->encode(line, false).size();
  return {{"mb_per_s", static_cast<double>(bytes) / 1e6 / seconds_since(start)},
          {"tokens", tokens}};
}

struct Loaded {
  Base base;
  Model model;
};

Loaded load(const char* place, const std::string& dtype, bool train) {
  auto base = open_base(place);
  use_matmul_plan(probe_matmul());
  const bool bf16 = dtype == "bfloat16";
  auto model = load_model(base.config, *base.weights, train ? Held::F32 : held_to_sample(bf16));
  if (train) train_all_weights(model);
  if (bf16) use_bf16_products(model);
  return {std::move(base), std::move(model)};
}

Json train_speed(const char* place, const char* rows, std::int64_t limit,
                 const std::string& dtype) {
  auto [base, model] = load(place, dtype, true);
  std::vector<Group> groups;
  std::int64_t counted = 0, computed = 0;
  for (const auto& line : lines_of(rows)) {
    groups.push_back({line.at("prompt").get<Ids>(), line.at("responses").get<std::vector<Ids>>()});
    computed += packed_tokens(groups.back());
    for (const auto& response : groups.back().responses)
      counted += static_cast<std::int64_t>(groups.back().prompt.size() + response.size());
  }
  const auto pass = [&](std::span<const Group> some) {
    const auto packed = pack(some);
    ScoreTrace trace;
    const auto logprobs = response_logprobs(model, packed, {}, &trace);
    response_logprobs_backward(model, packed, at::ones({logprobs.size(0)}), {}, std::move(trace));
  };
  pass(std::span(groups).first(1));
  const auto start = Clock::now();
  for (std::size_t from = 0; from < groups.size();) {
    std::size_t to = from;
    std::int64_t tokens = 0;
    while (to < groups.size() && (to == from || tokens + packed_tokens(groups[to]) <= limit))
      tokens += packed_tokens(groups[to++]);
    pass(std::span(groups).subspan(from, to - from));
    from = to;
  }
  const double spent = seconds_since(start);
  return {{"tokens_per_s", static_cast<double>(counted) / spent},
          {"tokens", counted},
          {"computed", computed}};
}

/// Every weight that a product takes, the head's in the type that it is read in, and the keys and
/// values: each prompt's once, of its own tokens what a sample has on average.
double bytes_of_step(const Model& model, std::span<const SampleRequest> requests) {
  double bytes = 0;
  for (const auto& block : model.blocks)
    for (const auto* linear : {&block.qkv, &block.o, &block.gate_up, &block.down})
      bytes += static_cast<double>(linear->weight.operand().nbytes());
  const bool rounded = model.blocks[0].qkv.weight.operand().scalar_type() == at::kBFloat16;
  bytes += static_cast<double>(model.output().value.numel()) * (rounded ? 2 : 4);
  double tokens = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (i == 0 || requests[i].prompt != requests[i - 1].prompt)
      tokens += static_cast<double>(requests[i].prompt.size());
    tokens += static_cast<double>(requests[i].options.max_tokens) / 2;
  }
  return bytes + tokens * static_cast<double>(decode_token_bytes(model));
}

/// The best of several goes over more than the caches hold.
Json memory_speed() {
  use_matmul_plan(probe_matmul());
  const auto numbers = at::ones({std::int64_t{1} << 28});
  double best = 1e9;
  for (int i = 0; i < 8; ++i) {
    const auto start = Clock::now();
    if (numbers.sum().item<float>() <= 0) return {};
    best = std::min(best, seconds_since(start));
  }
  return {{"bytes_per_s", static_cast<double>(numbers.nbytes()) / best}};
}

Json generate_speed(const char* place, const char* path, const std::string& dtype) {
  const auto [base, model] = load(place, dtype, false);
  std::vector<SampleRequest> requests;
  for (const auto& line : lines_of(path)) {
    SampleRequest request;
    request.prompt = line.at("prompt").get<Ids>();
    request.options.max_tokens = line.at("tokens");
    request.sample = line.at("sample");
    requests.push_back(std::move(request));
  }
  SamplerOptions options;  // no stop ids: as many tokens as asked for, as the peer is told
  std::int64_t tokens = 0;
  SamplerEvents events;
  if (compute_device()
          .is_cuda()) {  // its kernels are loaded when they are first used; the peer's too
    auto few = requests;
    for (auto& request : few) request.options.max_tokens = 8;
    sample_all(model, few, options, events);
  }
  events.on_token = [&](std::size_t, std::int64_t) { ++tokens; };
  const auto start = Clock::now();
  sample_all(model, requests, options, events);
  const double spent = seconds_since(start);
  return {{"tokens_per_s", static_cast<double>(tokens) / spent},
          {"tokens", tokens},
          {"step_bytes", bytes_of_step(model, requests)}};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what =
      argc > 3 || (argc == 2 && std::string(argv[1]) == "memory") ? argv[1] : "";
  try {
    Json out;
    if (what == "memory")
      out = memory_speed();
    else if (what == "tokenizer")
      out = tokenizer_speed(argv[2], argv[3]);
    else if (what == "train" && argc == 6)
      out = train_speed(argv[2], argv[3], std::stoll(argv[4]), argv[5]);
    else if (what == "generate" && argc == 5)
      out = generate_speed(argv[2], argv[3], argv[4]);
    else
      return std::cerr << "usage: see the head of tests/bench/engine/engine_bench.cpp\n", 64;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto peak = compute_device().is_cuda() ? static_cast<double>(cuda::peak_memory())
                                                 : static_cast<double>(usage.ru_maxrss) * 1024;
    out["peak_gb"] = peak / 1e9;
    std::cout << out.dump() << '\n';
  } catch (const std::exception& error) {
    return std::cerr << error.what() << '\n', 1;
  }
}
