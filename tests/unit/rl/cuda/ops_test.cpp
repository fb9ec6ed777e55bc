// Each op on the device beside the same op on the CPU, which other tests hold against f64.
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "rl/engine/sampling.h"
#include "rl/ops/attention.h"
#include "rl/ops/cuda/ops.h"
#include "rl/ops/cuda/tensors.h"
#include "rl/ops/decode_attention.h"
#include "rl/ops/distill_head.h"
#include "rl/ops/head.h"
#include "rl/ops/head_norm.h"
#include "rl/ops/matmul.h"
#include "rl/ops/rowwise.h"
#include "tests/unit/rl/cuda/support.h"

namespace hone::rl {
namespace {

using namespace testing;
using CudaOps = OnCuda;

constexpr at::ScalarType kTypes[] = {at::kFloat, at::kBFloat16};

/// As the device's type rounds it, on the CPU.
at::Tensor rounded(const at::Tensor& t, at::ScalarType type) { return t.to(type).to(at::kFloat); }

TEST_F(CudaOps, Norms) {
  for (const std::int64_t C : {32, 33, 576, 2048, 4096})
    for (const auto type : kTypes) {
      const std::int64_t T = 1500;  // more rows than the backward pass has blocks
      const auto x = random_tensor({T, C}, 1, 2), w = random_tensor({C}, 2, 1),
                 dy = rounded(random_tensor({T, C}, 3, 1), type),
                 before = random_tensor({T, C}, 4, 1);
      at::Tensor rstd, rstd_there;
      const auto y = rms_norm(x, w, 1e-5, &rstd);
      const auto got = rms_norm(there(x), there(w), 1e-5, &rstd_there, type);
      EXPECT_EQ(got.scalar_type(), type);
      EXPECT_LT(relative(got, y), tolerance(type)) << C;
      EXPECT_LT(relative(rstd_there, rstd), 1e-6);
      EXPECT_LT(relative(rms_norm_again(there(x), there(w), rstd_there, type), y), tolerance(type));
      auto dx = before.clone(), dw = random_tensor({C}, 5, 1), dx_there = there(before),
           dw_there = there(dw);
      rms_norm_backward(dy, x, w, rstd, dx, dw);
      rms_norm_backward(there(dy, type), there(x), there(w), rstd_there, dx_there, dw_there);
      EXPECT_LT(relative(dx_there, dx), 5e-6) << C;
      EXPECT_LT(relative(dw_there, dw), 1e-5) << C;
    }
}

TEST_F(CudaOps, SwiGlu) {
  for (const std::int64_t F : {48, 51, 1536})
    for (const auto type : kTypes) {
      const std::int64_t T = 77;
      const auto gate_up = rounded(random_tensor({T, 2 * F}, 1, 4), type),
                 dact = rounded(random_tensor({T, F}, 2, 1), type);
      EXPECT_LT(relative(swiglu(there(gate_up, type)), swiglu(gate_up)), tolerance(type)) << F;
      auto grad = gate_up.clone(), grad_there = there(gate_up, type);
      const auto act = swiglu_backward(dact, grad);
      const auto act_there = swiglu_backward(there(dact, type), grad_there);
      EXPECT_LT(relative(act_there, act), tolerance(type)) << F;
      EXPECT_LT(relative(grad_there, grad), tolerance(type)) << F;
    }
}

TEST_F(CudaOps, Positions) {
  for (const std::int64_t dim : {8, 24, 64, 128})
    for (const auto type : kTypes) {
      auto config = tiny_config({.head_dim = dim});
      config.max_position_embeddings = 131072;
      const Rope rope(config);
      const std::int64_t T = 40, row = 6 * dim;
      const auto x = rounded(random_tensor({T, row}, 1, 1), type);
      auto positions = at::zeros({T}, at::kLong);
      for (std::int64_t t = 0; t < T; ++t) positions[t] = t * t * 80;  // up to 121,680
      for (const int direction : {1, -1}) {
        auto here = x.clone(), got = there(x, type);
        rope.turn(here, positions, 5, direction);
        rope.turn(got, there(positions), 5, direction);
        EXPECT_LT(relative(got, here), type == at::kFloat ? 1e-6 : 1e-2) << dim;
      }
    }
}

TEST_F(CudaOps, NormsOfHeads) {
  for (const HeadShape s : {HeadShape{4, 2, 16, 0}, HeadShape{16, 8, 128, 0}})
    for (const auto type : kTypes) {
      const std::int64_t T = 29, row = (s.heads + 2 * s.kv_heads) * s.dim;
      const auto qkv = rounded(random_tensor({T, row}, 1, 2), type),
                 qw = random_tensor({s.dim}, 2, 1), kw = random_tensor({s.dim}, 3, 1),
                 dy = rounded(random_tensor({T, row}, 4, 1), type);
      auto here = qkv.clone(), got = there(qkv, type);
      HeadNormTrace trace, trace_there;
      head_norm(here, qw, kw, s, 1e-6, &trace);
      head_norm(got, there(qw), there(kw), s, 1e-6, &trace_there);
      EXPECT_LT(relative(got, here), tolerance(type));
      auto dx = dy.clone(), dx_there = there(dy, type);
      auto dq = at::zeros({s.dim}), dk = at::zeros({s.dim}), dq_there = there(dq),
           dk_there = there(dk);
      head_norm_backward(dx, qw, kw, s, trace, dq, dk);
      head_norm_backward(dx_there, there(qw), there(kw), s, trace_there, dq_there, dk_there);
      EXPECT_LT(relative(dx_there, dx), tolerance(type));
      EXPECT_LT(relative(dq_there, dq), 1e-5);
      EXPECT_LT(relative(dk_there, dk), 1e-5);
    }
}

/// Prompts that are shared, alone, without answers and with one; answers of no token.
std::vector<Segment> uneven_segments() {
  std::vector<Segment> out;
  std::int64_t at = 0;
  for (const auto& [prompt, responses] :
       std::vector<std::pair<std::int64_t, std::vector<std::int64_t>>>{
           {1, {1, 2}}, {16, {15, 17}}, {17, {0, 3}}, {50, {48, 0, 49, 1}}, {100, {}}, {5, {97}}}) {
    out.push_back({at, prompt, responses});
    at += out.back().tokens();
  }
  return out;
}

TEST_F(CudaOps, Attention) {
  const Segments shared = uneven_segments();
  const Segments alone = std::vector<Segment>{{0, 9, {}}, {9, 40, {23}}, {72, 1, {}}};
  for (const auto& segments : {shared, alone})
    for (const HeadShape s :
         {HeadShape{4, 2, 16, 0}, HeadShape{3, 1, 64, 0}, HeadShape{2, 2, 24, 0},
          HeadShape{8, 2, 128, 0}, HeadShape{4, 2, 16, 7}, HeadShape{3, 1, 64, 30}})
      for (const auto type : kTypes) {
        std::int64_t T = 0;
        for (const auto& segment : segments) T += segment.tokens();
        const auto qkv =
                       rounded(random_tensor({T, (s.heads + 2 * s.kv_heads) * s.dim}, 5, 1), type),
                   dout = rounded(random_tensor({T, s.heads * s.dim}, 6, 1), type);
        AttentionTrace trace, trace_there;
        const Segments again(std::vector<Segment>(segments.begin(), segments.end()));
        const auto out = attention(qkv, again, s, &trace);
        const auto got = attention(there(qkv, type), segments, s, &trace_there);
        EXPECT_LT(relative(got, out), tolerance(type)) << s.dim << " window " << s.window;
        const auto dqkv = attention_backward(dout, qkv, out, again, s, trace);
        const auto dqkv_there =
            attention_backward(there(dout, type), there(qkv, type), got, segments, s, trace_there);
        EXPECT_LT(relative(dqkv_there, dqkv), tolerance(type)) << s.dim << " window " << s.window;
        const auto twice =
            attention_backward(there(dout, type), there(qkv, type), got, segments, s, trace_there);
        EXPECT_TRUE(at::equal(twice, dqkv_there)) << "two runs, other bits";
      }
}

TEST_F(CudaOps, Products) {
  for (const auto type : kTypes) {
    const auto x = rounded(random_tensor({37, 64}, 1, 1), type),
               w = rounded(random_tensor({101, 64}, 2, 1), type);
    const auto want = x.matmul(w.t());
    EXPECT_LT(relative(matmul_nt_f32(there(x, type), there(w, type)), want), 2e-6);
    EXPECT_LT(relative(matmul_nt(there(x, type), there(w, type)), want), tolerance(type));
    EXPECT_LT(relative(matmul_nn(there(want, type), there(w, type)), rounded(want, type).matmul(w)),
              tolerance(type));
    // Rows that lie apart, as an adapter's slices do.
    const auto wide = rounded(random_tensor({37, 90}, 3, 1), type), slice = wide.narrow(1, 20, 16),
               into = random_tensor({16, 64}, 4, 1);
    auto got = there(into);
    accumulate_tn(got, there(wide, type).narrow(1, 20, 16), there(x, type), 0.5);
    EXPECT_LT(relative(got, into + 0.5 * slice.t().matmul(x)), 2e-6);
    auto part = there(at::zeros({40, 64}));
    accumulate_tn(part.narrow(0, 3, 16), there(wide, type).narrow(1, 20, 16), there(x, type));
    EXPECT_LT(relative(part.narrow(0, 3, 16), slice.t().matmul(x)), 2e-6);
    EXPECT_EQ(part.narrow(0, 19, 21).abs().max().item<float>(), 0);
  }
}

TEST_F(CudaOps, ProductsOfFewRows) {
  for (const std::int64_t m : {1, 2, 3, 4, 5})
    for (const std::int64_t n : {1, 101, 256})
      for (const std::int64_t k : {8, 264, 2048}) {
        const auto x = rounded(random_tensor({m, k}, 1, 1), at::kBFloat16),
                   w = rounded(random_tensor({n, k}, 2, 1), at::kBFloat16),
                   base = random_tensor({m, n}, 3, 20);
        const auto x16 = there(x, at::kBFloat16), w16 = there(w, at::kBFloat16);
        const auto want = x.to(at::kDouble).matmul(w.to(at::kDouble).t());
        EXPECT_LT(relative(matmul_nt_f32(x16, w16), want), tolerance(at::kFloat))
            << m << " " << n << " " << k;
        EXPECT_LT(relative(matmul_nt(x16, w16), want), 4e-3) << m << " " << n << " " << k;
        const auto sum = add_matmul_nt(there(base), x16, w16);
        EXPECT_EQ(sum.scalar_type(), at::kFloat);
        EXPECT_LT(relative(sum, base + want), 4e-3) << m << " " << n << " " << k;
      }
}

TEST_F(CudaOps, NormsTakenAlongAreTheSameBits) {
  for (const std::int64_t m : {1, 2, 3, 4})
    for (const std::int64_t n : {2, 102, 256, 8200})
      for (const std::int64_t k : {8, 264, 2048}) {
        const auto x = there(random_tensor({m, k}, 1, 3)), norm = there(random_tensor({k}, 2, 1)),
                   w = there(random_tensor({n, k}, 3, 1), at::kBFloat16);
        ASSERT_TRUE(cuda::takes_norm_along(x, w));
        const auto normed = rms_norm(x, norm, 1e-5, nullptr, at::kBFloat16);
        const auto product = matmul_nt(normed, w);
        EXPECT_TRUE(at::equal(cuda::norm_matmul_nt(x, norm, 1e-5, w, at::kBFloat16), product))
            << m << " " << n << " " << k;
        EXPECT_TRUE(
            at::equal(cuda::norm_matmul_nt(x, norm, 1e-5, w, at::kFloat), matmul_nt_f32(normed, w)))
            << m << " " << n << " " << k;
        EXPECT_TRUE(at::equal(cuda::norm_matmul_swiglu(x, norm, 1e-5, w), swiglu(product)))
            << m << " " << n << " " << k;
      }
}

TEST_F(CudaOps, DecodeAttention) {
  const std::int64_t layers = 2, slots = 15, capacity = 600;
  struct Told {
    std::int64_t prompt, own, slot;
    bool again = false;  // the prompt of the row above
  };
  // Short and long ones, prompts that several share, and a row that is no sample.
  const std::vector<Told> told = {
      {1, 1, 0},           {17, 3, 8},          {300, 130, 2},     {700, 600, 5},
      {0, 0, -1},          {255, 1, 1},         {256, 1, 3},       {64, 500, 4},
      {513, 7, 6},         {513, 300, 7, true}, {513, 1, 9, true}, {513, 64, 10, true},
      {513, 65, 11, true}, {513, 2, 12, true},  {3, 5, 13},        {3, 257, 14, true}};
  const auto B = static_cast<std::int64_t>(told.size());
  for (const HeadShape s :
       {HeadShape{4, 2, 64, 0}, HeadShape{3, 1, 64, 0}, HeadShape{32, 8, 64, 0},
        HeadShape{12, 1, 64, 0}, HeadShape{8, 1, 128, 0}, HeadShape{16, 8, 128, 0},
        HeadShape{4, 2, 64, 100}, HeadShape{4, 4, 128, 1}, HeadShape{4, 2, 24, 0},
        HeadShape{2, 1, 256, 0}, HeadShape{4, 2, 24, 33}})
    for (const auto type : kTypes)
      for (const bool together : {true, false}) {  // alone, few blocks have a row to share
        const auto qkv =
            rounded(random_tensor({B, (s.heads + 2 * s.kv_heads) * s.dim}, 1, 2), type);
        auto own =
            rounded(random_tensor({layers, slots, s.kv_heads, 2, capacity, s.dim}, 2, 2), type);
        const auto qkv_there = there(qkv, type);
        auto own_there = there(own, type);
        std::vector<at::Tensor> prompts, prompts_there;
        std::vector<cuda::Row> rows;
        std::vector<KvPair> pieces;
        const std::int64_t layer = 1, piece = s.kv_heads * 2 * capacity * s.dim;
        for (std::int64_t b = 0; b < B; ++b) {
          const auto& [P, mine, slot, again] = told[static_cast<std::size_t>(b)];
          prompts.push_back(again ? prompts.back()
                                  : rounded(random_tensor({layers, s.kv_heads, 2,
                                                           std::max<std::int64_t>(P, 1), s.dim},
                                                          static_cast<std::uint64_t>(10 + b), 2),
                                            type));
          prompts_there.push_back(again ? prompts_there.back() : there(prompts.back(), type));
          cuda::Row row;
          row.prompt = prompts_there.back().const_data_ptr();
          row.prompt_tokens = static_cast<std::int32_t>(P);
          row.own_tokens = static_cast<std::int32_t>(mine);
          row.slot = static_cast<std::int32_t>(slot);
          rows.push_back(row);
          if (slot < 0) continue;
          float* at = own.data_ptr<float>() + (layer * slots + slot) * piece;
          store_kv(qkv.const_data_ptr<float>() + b * qkv.size(1), 1, s, at, capacity, mine - 1);
          pieces.push_back(
              {{prompts.back().const_data_ptr<float>() + layer * s.kv_heads * 2 * P * s.dim, P, P},
               {at, mine, capacity}});
        }
        // The CPU's lacks the row that is no sample.
        const auto some = at::cat({qkv.narrow(0, 0, 4), qkv.narrow(0, 5, B - 5)});
        const auto want = decode_attention(some, pieces, s);
        const cuda::Cache cache{own_there.data_ptr(),
                                type == at::kBFloat16,
                                layer,
                                slots,
                                capacity,
                                s.heads,
                                s.kv_heads,
                                s.dim,
                                s.window};
        if (together)
          for (std::size_t b = 1, leader = 0; b < rows.size(); ++b) {
            if (told[b].again && rows[leader].together < cuda::decode_together(cache)) {
              ++rows[leader].together;
              rows[b].together = 0;
            } else {
              leader = b;
            }
          }
        auto told_there = at::empty({B * static_cast<std::int64_t>(sizeof(cuda::Row))}, at::kByte);
        std::memcpy(told_there.data_ptr(), rows.data(), rows.size() * sizeof(cuda::Row));
        told_there = there(told_there);
        const auto device = qkv_there.options();
        auto scratch =
                 at::empty({cuda::decode_scratch(cache, {B, 700, 600})}, device.dtype(at::kFloat)),
             tickets = at::zeros({cuda::decode_tickets(cache, B)}, device.dtype(at::kInt));
        const auto run = [&](std::int64_t from, std::int64_t count, at::Tensor out) {
          cuda::decode_attention(cuda::numbers(qkv_there.narrow(0, from, count)),
                                 static_cast<const cuda::Row*>(told_there.const_data_ptr()) + from,
                                 cache, cuda::numbers(out.narrow(0, from, count)),
                                 cuda::floats(scratch), tickets.data_ptr<int>(), {count, 700, 600},
                                 cuda::stream());
        };
        at::Tensor before;
        for (int time = 0; time < 2; ++time) {
          auto out = at::full({B, s.heads * s.dim}, 7.0, device);
          if (together)
            run(0, B, out);
          else
            for (std::int64_t b = 0; b < B; ++b) run(b, 1, out);
          const auto got = out.to(at::kCPU, at::kFloat);
          EXPECT_EQ(got[4].abs().max().item<float>(), 0) << "a row that is no sample";
          EXPECT_LT(relative(at::cat({got.narrow(0, 0, 4), got.narrow(0, 5, B - 5)}), want),
                    tolerance(type))
              << s.heads << " " << s.kv_heads << " " << s.dim << " window " << s.window;
          if (time == 1) {
            EXPECT_TRUE(at::equal(got, before)) << "two runs, other bits";
          }
          before = got;
        }
        EXPECT_EQ(tickets.abs().max().item<int>(), 0);
        EXPECT_TRUE(at::equal(own_there.to(at::kCPU, at::kFloat), own)) << "the new keys' place";
      }
}

TEST_F(CudaOps, DrawsWhatTheCpuDraws) {
  const std::int64_t B = 40;
  for (const std::int64_t V : {61, 1003, 49152, 128256})
    for (const double temperature : {0.0, 0.7, 1.0}) {
      auto logits = random_tensor({B, V}, 1, 6);
      logits[3].fill_(0);  // all alike
      logits[4].fill_(-std::numeric_limits<float>::infinity());
      logits[4][V - 1] = 1.0;  // one alone is possible
      logits[5][V / 2] = std::numeric_limits<float>::quiet_NaN();
      logits[6][V / 2] = std::numeric_limits<float>::infinity();
      SamplingOptions options;
      options.temperature = temperature;
      std::vector<cuda::Row> rows(static_cast<std::size_t>(B));
      const Random random(3, Stream::Sample);
      for (std::int64_t b = 0; b < B; ++b) {
        auto& row = rows[static_cast<std::size_t>(b)];
        row.uniform = b == 7 ? 0 : random.uniform(0, static_cast<std::uint64_t>(b));
        row.temperature = static_cast<float>(temperature);
        row.slot = b == 8 ? -1 : 0;
      }
      auto told = at::empty({B * static_cast<std::int64_t>(sizeof(cuda::Row))}, at::kByte);
      std::memcpy(told.data_ptr(), rows.data(), rows.size() * sizeof(cuda::Row));
      told = there(told);
      const auto logits_there = there(logits);
      auto ids = there(at::full({B}, -7, at::kLong)), logprobs = there(at::zeros({B})),
           scratch = at::empty({cuda::choose_scratch(B, V)}, logits_there.options());
      cuda::choose(cuda::floats(logits_there), static_cast<const cuda::Row*>(told.const_data_ptr()),
                   ids.data_ptr<std::int64_t>(), logprobs.data_ptr<float>(), cuda::floats(scratch),
                   B, V, cuda::stream());
      const auto got = ids.to(at::kCPU), likely = logprobs.to(at::kCPU);
      std::vector<float> space;
      for (std::int64_t b = 0; b < B; ++b) {
        const auto id = got[b].item<std::int64_t>();
        if (b == 8) {
          EXPECT_EQ(id, -7) << "a row that is no sample";
          continue;
        }
        if (b == 5 || b == 6) {
          EXPECT_EQ(id, -1) << "not finite";
          continue;
        }
        const auto want = choose_token(logits[b].const_data_ptr<float>(), V, options,
                                       rows[static_cast<std::size_t>(b)].uniform, space, {});
        EXPECT_EQ(id, want.id) << "row " << b << " of " << V << " at " << temperature;
        EXPECT_NEAR(likely[b].item<float>(), want.logprob, 2e-5);
      }
    }
}

TEST_F(CudaOps, Heads) {
  for (const std::int64_t V : {1003, 49152})
    for (const auto type : kTypes)
      for (const double temperature : {1.0, 0.7}) {
        const std::int64_t N = 19, C = 64;
        const auto hidden = rounded(random_tensor({N, C}, 1, 1), type),
                   weight = rounded(random_tensor({V, C}, 2, 1), type),
                   dlogprobs = random_tensor({N}, 3, 1), dentropy = random_tensor({N}, 4, 1);
        auto targets = hidden.matmul(weight.t()).argmax(1);
        for (std::int64_t i = 0; i < N; i += 2) targets[i] = i * 31 % V;
        for (const std::int64_t bytes : {std::int64_t{1} << 30, V * 4 * 5}) {
          const HeadOptions options{temperature, bytes};
          HeadTrace trace, trace_there;
          at::Tensor entropy, likeliest, entropy_there, likeliest_there;
          const auto want =
              token_logprobs(hidden, weight, targets, options, &trace, &entropy, &likeliest);
          const auto got = token_logprobs(there(hidden, type), there(weight, type), there(targets),
                                          options, &trace_there, &entropy_there, &likeliest_there);
          EXPECT_LT(relative(got, want), 5e-6) << V;
          EXPECT_LT(relative(entropy_there, entropy), 1e-5) << V;
          EXPECT_TRUE(at::equal(likeliest_there.cpu(), likeliest)) << V;
          auto dweight = at::zeros({V, C}), dweight_there = there(dweight);
          const auto dhidden =
              token_logprobs_backward(dlogprobs, weight, dweight, options, trace, dentropy);
          const auto dhidden_there =
              token_logprobs_backward(there(dlogprobs), there(weight, type), dweight_there, options,
                                      trace_there, there(dentropy));
          // Both sides sum 49,152 f32 terms, each in its own order.
          EXPECT_LT(relative(dhidden_there, dhidden), 4 * tolerance(type)) << V;
          EXPECT_LT(relative(dweight_there, dweight), 4 * tolerance(type)) << V;
        }
      }
}

TEST_F(CudaOps, Distillation) {
  const std::int64_t N = 11, V = 301;
  for (const auto divergence : {Divergence::ForwardKl, Divergence::ReverseKl, Divergence::Jsd}) {
    const HeadRows student{random_tensor({N, 32}, 1, 1), random_tensor({V, 32}, 2, 1)},
        teacher{random_tensor({N, 48}, 3, 1), random_tensor({V, 48}, 4, 1)},
        student_there{there(student.hidden), there(student.weight)},
        teacher_there{there(teacher.hidden), there(teacher.weight)};
    const DistillOptions options{divergence, 0.3, 1.7, V * 4 * 2 * 4};
    DistillTrace trace, trace_there;
    const auto want = distill_divergence(student, teacher, options, &trace),
               got = distill_divergence(student_there, teacher_there, options, &trace_there),
               dvalues = random_tensor({N}, 5, 1);
    EXPECT_LT(relative(got, want), 1e-5);
    auto dw = at::zeros({V, 32}), dw_there = there(dw);
    const auto dh = distill_divergence_backward(dvalues, dw, options, trace),
               dh_there =
                   distill_divergence_backward(there(dvalues), dw_there, options, trace_there);
    EXPECT_LT(relative(dh_there, dh), 1e-5);
    EXPECT_LT(relative(dw_there, dw), 1e-5);
  }
}

}  // namespace
}  // namespace hone::rl
