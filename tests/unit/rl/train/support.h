// A run on a model of a few thousand weights: the real door (run_training), in a second.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "rl/train/run.h"

namespace hone::rl::testing {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    static int count = 0;
    path = fs::path(::testing::TempDir()) /
           ("hone-train-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    fs::create_directories(path);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

/// Hears everything; asks to stop once `stop_after` steps are done.
struct Listener : Observer {
  std::vector<Values> steps;
  std::vector<fs::path> checkpoints;
  std::vector<std::string> messages;
  std::int64_t stop_after = -1;

  void progress(std::string_view, std::int64_t, std::int64_t, double) override {}
  void metrics(std::int64_t, std::int64_t, double, const Values& values) override {
    steps.push_back(values);
  }
  void checkpoint(std::int64_t, const fs::path& path) override { checkpoints.push_back(path); }
  void message(std::string_view, const std::string& text) override { messages.push_back(text); }
  void evaluation(const Values&) override {}
  bool stop_requested() override {
    return stop_after >= 0 && static_cast<std::int64_t>(steps.size()) >= stop_after;
  }
};

inline double value(const Values& values, const std::string& name) {
  for (const auto& [key, v] : values)
    if (key == name) return v;
  ADD_FAILURE() << "no metric " << name;
  return 0;
}

/// Pairs in which short answers are better; every sixth is held out.
inline fs::path write_pairs(const fs::path& file, int count = 24, bool swapped = false) {
  std::ofstream out(file);
  for (int i = 0; i < count; ++i) {
    const std::string good = "Yes, " + std::to_string(i) + ".",
                      bad = "Well, that depends on " + std::to_string(i) + " things";
    out << nlohmann::json{{"prompt",
                           {{{"role", "user"}, {"content", "Question " + std::to_string(i * 7)}}}},
                          {"chosen", {{{"role", "assistant"}, {"content", swapped ? bad : good}}}},
                          {"rejected",
                           {{{"role", "assistant"}, {"content", swapped ? good : bad}}}},
                          {"split", i % 6 == 5 ? "held_out" : "train"}}
               .dump()
        << '\n';
  }
  return file;
}

inline TrainSpec tiny_spec(const Folder& folder, bool lora) {
  TrainSpec spec;
  spec.base = fs::path(HONE_SOURCE_DIR) / "tests/golden/rl/formats/tiny";
  spec.data = write_pairs(folder.path / "pairs.jsonl");
  spec.out = folder.path / "out";
  if (lora) spec.lora = LoraSpec{.rank = 4, .alpha = 8};
  spec.settings.set("learning_rate", 1e-3);
  spec.settings.set("batch_size", 4);
  spec.settings.set("max_steps", 8);
  spec.settings.set("max_tokens", 256);
  spec.settings.set("micro_batch_tokens", 128);
  spec.checkpoint_every_steps = 2;
  spec.checkpoint_every_s = 0;
  spec.plan = MatmulPlan{.onednn = false,
                         .direct_rows = 0,
                         .threads = 2,
                         .cuda = matmul_plan().cuda};  // not the probe's: two runs are compared
  return spec;
}

inline std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Metric lines without what clocks and the process's size make of them.
inline std::vector<nlohmann::json> metric_lines(const fs::path& out) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(out / "metrics.jsonl");
  for (std::string line; std::getline(in, line);) {
    auto json = nlohmann::json::parse(line);
    for (const char* name : {"perf/step_s", "perf/tokens_per_s", "perf/peak_bytes"})
      json.erase(name);
    lines.push_back(json);
  }
  return lines;
}

}  // namespace hone::rl::testing
