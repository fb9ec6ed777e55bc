// hone-run: tokenizes, scores, samples and trains; from a job folder, a spec or a pipe.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hone_revision.h"
#include "services/run/arguments.h"
#include "services/run/chat.h"
#include "services/run/convert.h"
#include "services/run/dry_run.h"
#include "services/run/events.h"
#include "services/run/failures.h"
#include "services/run/job.h"
#include "services/run/threads.h"
#include "services/run/tools.h"
#include "services/run/train_schema.h"

namespace {

constexpr const char* kHelp = R"(hone-run COMMAND ...

BASE is a Hugging Face directory or a GGUF file. The tools read JSON lines on standard input and
answer with JSON lines on standard output, in the same order.

  tokenize BASE            {"text", "add_special_tokens"=true} or {"messages"} -> {"ids"}
  tokenize BASE --decode   {"ids", "skip_special_tokens"=false} -> {"text"}
  score BASE               {"prompt", "response"} -> {"prompt_ids", "ids", "logprobs"}; of a reward model
                           (...ForSequenceClassification with one label) -> {"prompt_ids", "ids", "score"}
        --adapter DIR          a PEFT adapter on the base
        --dtype bfloat16       products with bf16 operands (also of sample and chat): near, not equal;
                               less to read for a sample, fast in a pass where the processor has them
        --dtype auto           bfloat16 where a measure at start finds it clearly faster; told on
                               standard error
  sample BASE              {"prompt", "max_tokens", "temperature", "top_p", "top_k", "min_p",
                           "repetition_penalty", "stop": ["text"], "seed", "n"}
                           -> {"text", "ids", "logprobs", "finish_reason"} (and "index" when n > 1)
        --max-tokens 256 --temperature 1 --top-p 1 --top-k 0 --min-p 0 --repetition-penalty 1
        --seed 0 --n 1         for lines that do not say
        --slots 96             samples decoded together (on a CUDA device 256); fewer take less memory
        --greedy               the likeliest token, always
        --adapter DIR
  train SPEC               a training run; events as JSON lines; leaves what spec's "out" names
        --dry-run              without training: what is minimised, the settings, what the data come
                               to, memory and time, and a batch with its masks; leaves nothing
  job FOLDER               the job in FOLDER/spec.json ("kind": train or sample); events as JSON lines,
                           ends with FOLDER/result.json
  methods                  every method of training: its name, what it is, what it minimises
  schema METHOD            JSON Schema of a whole spec of that method, with bounds and defaults
  inspect BASE             shape, tensor types, sizes and hash as JSON
  chat BASE                a conversation at the terminal: a line a turn, answers as they are drawn
        --adapter DIR --system TEXT --max-tokens 1024 --temperature 0.7 --top-p 0.95 --greedy ...
  convert BASE OUT --to hf the model as a Hugging Face directory (--type f32, bf16 or f16)
  convert BASE OUT --to gguf
                           as a GGUF file (--type f16, bf16, f32, q8_0, q4_0 or q4_k)
        --adapter DIR          merged into the base, in f32
        --no-check             without opening OUT again and comparing its logits
  doctor                   how libtorch works on this machine

Where a base fills in middles (Code Llama, Qwen2.5-Coder, StarCoder), tokenize, score and sample also
take {"prefix", "suffix"} in the text's or prompt's place; the middle is the response.

A prompt that is a text is raw: its response is scored as it is. A prompt that is a list of messages
goes through the base's own chat template, and the response's end token is scored with it.

HONE_THREADS sets the threads (default: physical cores).
Signals to train and job: TERM, INT stop at the next step, with a checkpoint; USR1 pauses there,
USR2 goes on.
Exit codes: 0 done; 64 spec; 65 data; 70 bug; 74 input or output; 75 try again; 130 a convert that
was told to stop.
)";

/// GNU OpenMP's threads spin for milliseconds at every barrier before they sleep; on a machine with
/// more to run than cores, each barrier then waits for a thread that is not running, and a step
/// takes twenty times as long. Some ten thousandths of a second of spinning cover the gaps between
/// our kernels and cost nothing where the cores are ours.
bool bound_spinning() {
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return false;
  setenv("GOMP_SPINCOUNT", "4000", 1);
  return true;
}

/// Commands that end in good order when they are told to; the others simply die.
bool takes_signals(const std::string& name, const std::vector<std::string>& words) {
  if (name == "train") return std::find(words.begin(), words.end(), "--dry-run") == words.end();
  return name == "job" || name == "convert";
}

/// The libraries read their settings, and start their first threads, before main begins: what these
/// are to inherit takes a second exec. Without /proc it goes on as it is.
void begin_again_prepared(bool steered, char** argv) {
  const bool spins = bound_spinning();
  const bool held = steered && hone::run::hold_signals();
  if (spins || held) execv("/proc/self/exe", argv);
}

int command(int argc, char** argv) {
  using namespace hone::run;
  const std::string name = argc > 1 ? argv[1] : "--help";
  const std::vector<std::string> none;
  if (name == "--help" || name == "-h" || name == "help" ||
      (argc > 2 && std::string(argv[2]) == "--help")) {
    std::cout << kHelp;
    return kDone;
  }
  if (name == "--version") {
    std::cout << "hone-run " << HONE_REVISION << '\n';
    return kDone;
  }
  if (name == "methods") {
    parse_arguments(argc, argv, 2, none, none, 0);
    std::cout << methods_table(100);
    return kDone;
  }
  if (name == "schema") {
    const auto method = parse_arguments(argc, argv, 2, none, none, 1).places[0];
    std::cout << train_schema(hone::feedback::method(method)).dump(2) << '\n';
    return kDone;
  }
  begin_again_prepared(takes_signals(name, {argv, argv + argc}), argv);
  prepare_torch();
  if (name == "tokenize") return tokenize(parse_arguments(argc, argv, 2, none, {"decode"}, 1));
  if (name == "score") return score(parse_arguments(argc, argv, 2, {"adapter", "dtype"}, none, 1));
  if (name == "sample")
    return sample(parse_arguments(argc, argv, 2,
                                  {"adapter", "dtype", "max-tokens", "temperature", "top-p",
                                   "top-k", "min-p", "repetition-penalty", "seed", "n", "slots"},
                                  {"greedy"}, 1));
  if (name == "train") {
    const auto arguments = parse_arguments(argc, argv, 2, none, {"dry-run"}, 1);
    const auto& spec = arguments.places[0];
    return arguments.has("dry-run") ? dry_run_file(spec) : train_file(spec);
  }
  if (name == "job") return job(parse_arguments(argc, argv, 2, none, none, 1).places[0]);
  if (name == "inspect") return inspect(parse_arguments(argc, argv, 2, none, none, 1));
  if (name == "convert")
    return convert(parse_arguments(argc, argv, 2, {"to", "type", "adapter"}, {"no-check"}, 2));
  if (name == "chat")
    return chat(parse_arguments(argc, argv, 2,
                                {"adapter", "dtype", "system", "max-tokens", "temperature", "top-p",
                                 "top-k", "min-p", "repetition-penalty", "seed"},
                                {"greedy"}, 1));
  if (name == "doctor") return doctor();
  std::cerr << "hone-run: there is no command \"" << name << "\"; see hone-run --help\n";
  return kSpec;
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  try {
    return command(argc, argv);
  } catch (...) {
    const auto failure = hone::run::current_failure();
    std::cerr << "hone-run: " << (failure.param.empty() ? "" : failure.param + ": ")
              << failure.detail << '\n';
    return failure.exit_code;
  }
}
