#include "services/run/job.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "rl/formats/files.h"
#include "services/run/events.h"
#include "services/run/failures.h"
#include "services/run/sample_job.h"
#include "services/run/train.h"
#include "services/shared/json.h"

namespace hone::run {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

nlohmann::json read_spec(const fs::path& file) {
  return shared::parse_json(rl::read_file(file, 16 << 20));
}

}  // namespace

int job(const fs::path& folder) {
  listen_to_signals();
  watch_parent();
  Json result;
  int code = kBug;
  try {
    if (!fs::is_directory(folder))
      throw Error(Code::NotFound, "there is no folder " + folder.string());
    const auto spec = read_spec(folder / "spec.json");
    const auto kind = spec.is_object() ? spec.value("kind", std::string()) : std::string();
    if (kind == "train")
      code = train(spec, folder, result);
    else if (kind == "sample")
      code = sample_job(spec, folder, result);
    else
      throw Error(Code::Invalid, "kind must be \"train\" or \"sample\"", "kind");
  } catch (...) {
    const auto failure = current_failure();
    result = Json::parse(to_json(failure));
    code = failure.exit_code;
    std::cerr << "hone-run: " << failure.detail << '\n';
  }
  try {
    if (fs::is_directory(folder)) rl::write_file(folder / "result.json", result.dump(2) + "\n");
  } catch (...) {
    // The exit code is what counts when the file is missing.
    std::cerr << "hone-run: result.json could not be written: " << current_failure().detail << '\n';
    if (code == kDone) code = kIo;
  }
  return code;
}

int train_file(const fs::path& spec) {
  listen_to_signals();
  Json result;
  const auto folder = fs::absolute(spec).parent_path();
  return train(read_spec(spec), folder, result);
}

}  // namespace hone::run
