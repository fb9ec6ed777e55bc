// HONE_TEST_DEVICE=cuda in the environment puts every model of a test program on the CUDA device:
// what holds on the CPU must hold there.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "rl/ops/matmul.h"

namespace hone::rl {
namespace {

class OnDevice : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* device = std::getenv("HONE_TEST_DEVICE");
    if (device == nullptr || std::string_view(device) != "cuda") return;
    auto plan = matmul_plan();
    plan.cuda = true;
    plan.threads = at::get_num_threads();
    use_matmul_plan(plan);
  }
};

const auto* const environment = ::testing::AddGlobalTestEnvironment(new OnDevice);

}  // namespace
}  // namespace hone::rl
