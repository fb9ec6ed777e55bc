// How long a hand-out and a submit take on a queue of many items: run by `ctest -L bench`.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "tests/integration/storage/world.h"

namespace hone::storage {
namespace {

using Clock = std::chrono::steady_clock;

// Printed, not judged: the machine is shared. feedback/labelling's bar is p50 5 ms, p99 25 ms.
TEST(HandOut, TimeOfAQueueOfManyItemsIsReported) {
  World world;
  constexpr int kItems = 100000;
  // Laid in by the superuser, its references unchecked: filling is not what is measured.
  world.value(R"sql(
      SET session_replication_role = replica;
      SET app.team = ')sql" +
              world.team.value + R"sql(';
      INSERT INTO prompts (project_id, messages, split)
      VALUES (')sql" +
              world.project.id.value + R"sql(', '[{"role":"user","content":"one"}]', 'train');
      INSERT INTO responses (project_id, prompt_id, messages)
      SELECT project_id, id, jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', 'r' || n))
        FROM prompts, generate_series(1, 450) n;
      WITH pairs AS (SELECT a.project_id, a.prompt_id, a.id r0, b.id r1, new_uuid() id
                       FROM responses a JOIN responses b ON b.prompt_id = a.prompt_id AND a.content_sha256 < b.content_sha256
                      LIMIT )sql" +
              std::to_string(kItems) + R"sql(),
           made AS (INSERT INTO comparisons (id, project_id, lineage_id, prompt_id, question_set_id, content_sha256)
                    SELECT p.id, p.project_id, p.id, p.prompt_id, q.id, p.id::text FROM pairs p JOIN question_sets q USING (project_id)),
           slots AS (INSERT INTO comparison_responses (comparison_id, slot, response_id, prompt_id)
                     SELECT p.id, v.s, v.r, p.prompt_id FROM pairs p, LATERAL (VALUES (0, p.r0), (1, p.r1)) v (s, r))
      INSERT INTO work_items (comparison_id, project_id, target, open_slots, sort_key)
      SELECT id, project_id, 3, 3, hashtextextended(id::text, 0) FROM pairs;
      SELECT 1)sql");
  world.value("ANALYZE");
  // A judge with a few hundred answers of their own, still open at the front for others.
  std::vector<double> asked_ms, answered_ms;
  for (int i = 0; i < 300; ++i) {
    const auto start = Clock::now();
    const auto out = world.ask(world.judge);
    const auto between = Clock::now();
    ASSERT_EQ(out.items.size(), 1U);
    world.record(world.answer(world.judge, out.items[0], 1));
    asked_ms.push_back(std::chrono::duration<double, std::milli>(between - start).count());
    answered_ms.push_back(
        std::chrono::duration<double, std::milli>(Clock::now() - between).count());
  }
  const auto report = [](const char* what, std::vector<double> ms) {
    std::sort(ms.begin(), ms.end());
    std::printf("[ measured ] %s, %d items: p50 %.2f ms, p99 %.2f ms\n", what, kItems,
                ms[ms.size() / 2], ms[ms.size() * 99 / 100]);
  };
  report("hand-out", asked_ms);
  report("submit", answered_ms);
}

}  // namespace
}  // namespace hone::storage
