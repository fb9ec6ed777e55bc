// Rows that are stored in bf16 must be what rounding the f32 rows gives, to the bit: products round
// what flows into them anyway, and a run must not depend on who rounds.
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "rl/ops/matmul.h"
#include "rl/ops/rowwise.h"
#include "tests/unit/rl/support/tiny_model.h"

namespace hone::rl {
namespace {

using namespace testing;

at::Tensor rounded(const at::Tensor& t) { return t.to(at::kBFloat16); }

/// Large, tiny and odd lengths, so that vectors and what is left over are both met.
constexpr std::int64_t kWidths[] = {1, 7, 33, 48, 576};

TEST(RoundedRows, NormsAreTheRoundedNorms) {
  for (const auto C : kWidths) {
    const auto x = random_tensor({19, C}, 1, 3), w = random_tensor({C}, 2, 1);
    at::Tensor rstd, rstd_rounded;
    const auto whole = rms_norm(x, w, 1e-5, &rstd);
    const auto got = rms_norm(x, w, 1e-5, &rstd_rounded, at::kBFloat16);
    EXPECT_EQ(got.scalar_type(), at::kBFloat16);
    EXPECT_TRUE(at::equal(got, rounded(whole))) << C;
    EXPECT_TRUE(at::equal(rstd_rounded, rstd)) << C;
    EXPECT_TRUE(at::equal(rms_norm_again(x, w, rstd, at::kBFloat16), got)) << C;
  }
}

TEST(RoundedRows, SwiGluIsThatOfTheSameNumbers) {
  for (const auto F : kWidths) {
    const auto gate_up = rounded(random_tensor({19, 2 * F}, 3, 12)),
               dact = rounded(random_tensor({19, F}, 4, 2));
    EXPECT_TRUE(at::equal(swiglu(gate_up), rounded(swiglu(gate_up.to(at::kFloat))))) << F;
    auto gradient = gate_up.clone(), whole = gate_up.to(at::kFloat);
    const auto act = swiglu_backward(dact, gradient);
    const auto act_whole = swiglu_backward(dact.to(at::kFloat), whole);
    EXPECT_TRUE(at::equal(act, rounded(act_whole))) << F;
    EXPECT_TRUE(at::equal(gradient, rounded(whole))) << F;
  }
}

TEST(RoundedRows, RoundingIsToTheNearestEvenAndKeepsWhatIsNoNumber) {
  const float infinity = std::numeric_limits<float>::infinity();
  auto x = at::empty({1, 8}, at::kFloat);
  float* p = x.data_ptr<float>();
  // Two ties, one to each side; what overflows by rounding; signs of zero; infinities and none.
  const float numbers[] = {1.00390625f,
                           1.01171875f,
                           3.4e38f,
                           -0.0f,
                           infinity,
                           -infinity,
                           std::numeric_limits<float>::quiet_NaN(),
                           1e-40f};
  std::copy(std::begin(numbers), std::end(numbers), p);
  auto one = at::empty({8}, at::kFloat).fill_(1), rstd = at::empty({1}, at::kFloat).fill_(1);
  const auto got = rms_norm_again(x, one, rstd, at::kBFloat16), want = rounded(x);
  const auto *a = static_cast<const std::uint16_t*>(got.const_data_ptr()),
             *b = static_cast<const std::uint16_t*>(want.const_data_ptr());
  for (int i = 0; i < 8; ++i) {
    if (i == 6) continue;
    EXPECT_EQ(a[i], b[i]) << numbers[i];
  }
  EXPECT_TRUE(got[0][6].isnan().item<bool>());
}

TEST(RoundedRows, ProductsTakeThemAsTheyTakeF32) {
  for (const std::int64_t rows : {3, 40}) {
    const auto x = random_tensor({rows, 64}, 5, 1), y = random_tensor({rows, 96}, 6, 1),
               w = rounded(random_tensor({96, 64}, 7, 1));
    EXPECT_TRUE(at::equal(matmul_nt(rounded(x), w), matmul_nt(x, w))) << rows;
    EXPECT_TRUE(at::equal(add_matmul_nt(y, rounded(x), w), add_matmul_nt(y, x, w))) << rows;
    EXPECT_TRUE(at::equal(matmul_nn(rounded(y), w), matmul_nn(y, w))) << rows;
    EXPECT_TRUE(at::equal(matmul_nn_rounded(y, w), rounded(matmul_nn(y, w)))) << rows;
  }
  const auto x = random_tensor({40, 64}, 8, 1), w = rounded(random_tensor({96, 64}, 9, 1));
  EXPECT_TRUE(at::equal(matmul_nt_rounded(x, w), rounded(matmul_nt(x, w))));
}

}  // namespace
}  // namespace hone::rl
