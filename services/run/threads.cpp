#include "services/run/threads.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "feedback/base/error.h"

namespace hone::run {
namespace {

int physical_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return static_cast<int>(std::thread::hardware_concurrency());
  std::set<std::pair<std::string, std::string>> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    std::string package, core;
    std::ifstream(folder + "physical_package_id") >> package;
    std::ifstream(folder + "core_id") >> core;
    if (core.empty()) core = std::to_string(cpu);  // no topology told: each counts
    cores.emplace(package, core);
  }
  return std::max(1, static_cast<int>(cores.size()));
}

}  // namespace

int wanted_threads() {
  const char* given = std::getenv("HONE_THREADS");
  if (!given || !*given) return physical_cores();
  char* end = nullptr;
  const long value = std::strtol(given, &end, 10);
  if (*end || value < 1 || value > 1024)
    throw Error(Code::Invalid, "HONE_THREADS must be a number from 1 to 1024", "HONE_THREADS");
  return static_cast<int>(value);
}

void prepare_torch() {
  at::set_num_threads(wanted_threads());
  auto& context = at::globalContext();
  context.setDeterministicAlgorithms(true, false);
  context.setDeterministicFillUninitializedMemory(false);
}

}  // namespace hone::run
