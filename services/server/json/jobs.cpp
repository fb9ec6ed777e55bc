#include "services/server/json/jobs.h"

#include "services/server/json/values.h"

namespace hone::server {

using nlohmann::json;

SampleAsked parse_sample(const json& given, const std::function<std::int64_t()>& draw) {
  shared::Fields body(given);
  SampleAsked out;
  out.base = body.text("base", {1, 200});
  out.split = body.find_word("split", {"train", "held_out", "all"}).value_or("train");
  const auto seed = body.find_integer("seed", 0, 0x7fffffff);
  out.spec = {
      {"split", out.split},
      {"responses_per_prompt", body.find_integer("responses_per_prompt", 2, 4).value_or(2)},
      {"max_tokens", body.find_integer("max_tokens", 1, 4096).value_or(256)},
      // Greedy answers to one prompt are all the same text, which makes no comparison.
      {"temperature", body.find_number("temperature", 0.05, 5).value_or(1.0)},
      {"top_p", body.find_number("top_p", 0.01, 1).value_or(1.0)},
      {"top_k", body.find_integer("top_k", 0, 1 << 20).value_or(0)},
      {"min_p", body.find_number("min_p", 0, 1).value_or(0.0)},
      {"repetition_penalty", body.find_number("repetition_penalty", 0.01, 100).value_or(1.0)},
      {"dtype", body.find_word("dtype", {"auto", "float32", "bfloat16"}).value_or("auto")}};
  body.done();
  out.spec["seed"] = seed ? *seed : draw();
  return out;
}

json to_json(const storage::Job& job) {
  return {{"id", job.id.value},
          {"kind", job.kind},
          {"project", job.project.value},
          {"state", job.state},
          {"spec", stored_json(job.spec)},
          {"progress", stored_json(job.progress)},
          {"waiting", stored_json(job.waiting)},
          {"error", stored_json(job.error)},
          {"result", stored_json(job.result)},
          {"created_at", job.created_at},
          {"started_at", or_null(job.started_at)},
          {"finished_at", or_null(job.finished_at)}};
}

}  // namespace hone::server
