#include "rl/ops/matmul.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "feedback/base/error.h"
#include "rl/ops/cuda/device.h"
#include "rl/ops/cuda/ops.h"
#include "rl/ops/few_rows.h"
#include "rl/random/philox.h"
#include "rl/torch_compat.h"

namespace hone::rl {
namespace {

using DirectLinear = at::Tensor(const at::Tensor&, const at::Tensor&,
                                const std::optional<at::Tensor>&, std::string_view,
                                c10::List<std::optional<at::Scalar>>,
                                std::optional<std::string_view>);

/// oneDNN's linear by name: no public C++ function calls it.
const c10::TypedOperatorHandle<DirectLinear>* direct_linear() {
  static const auto found = []() -> std::optional<c10::TypedOperatorHandle<DirectLinear>> {
    for (const char* name : compat::kOneDnnLinearNames) {
      const auto handle = c10::Dispatcher::singleton().findSchema({name, ""});
      if (!handle) continue;
      try {
        return handle->typed<DirectLinear>();
      } catch (const c10::Error&) {
        // Another signature in this version: the ordinary route serves.
      }
    }
    return std::nullopt;
  }();
  return found ? &*found : nullptr;
}

at::Tensor call_direct(const at::Tensor& x, const at::Tensor& w) {
  return direct_linear()->call(x, w, std::nullopt, "none", c10::List<std::optional<at::Scalar>>(),
                               "");
}

MatmulPlan current;

at::Tensor numbers(std::int64_t rows, std::int64_t columns, std::uint64_t which) {
  auto out = at::empty({rows, columns}, at::kFloat);
  const Random random(7, Stream::Init);
  float* p = out.data_ptr<float>();
  for (std::int64_t i = 0; i < rows * columns; ++i)
    p[i] = static_cast<float>(random.uniform(which, static_cast<std::uint64_t>(i)) - 0.5);
  return out.to(compute_device());
}

struct Seconds {
  double usual = 1e9, other = 1e9;
};

/// Least seconds of both calls, measured in turn so that a busy machine slows both.
template <class Usual, class Other>
Seconds race(Usual usual, Other other) {
  const auto measure = [](auto& call, double& best) {
    const auto start = std::chrono::steady_clock::now();
    call();
    cuda::synchronize();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  };
  Seconds out;
  double warm_up = 0;
  measure(usual, warm_up);
  measure(other, warm_up);
  for (int i = 0; i < 6; ++i) {
    measure(usual, out.usual);
    measure(other, out.other);
  }
  return out;
}

double error(const at::Tensor& got, const at::Tensor& exact) {
  return ((got.to(at::kDouble) - exact).abs().max() / exact.abs().max()).item<double>();
}

void set_precision(bool onednn) {
  compat::set_f32_matmul_precision(at::globalContext(), onednn ? "medium" : "highest");
}

// f32 sums of 576 products err by some 1e-6 of the largest entry, bf16 ones by 3e-3.
constexpr double kF32Error = 1e-5;
// oneDNN was never slower where we measured and up to twice as fast. It takes clear evidence to
// leave it: two runs of one spec on one machine, one of them while it was busy, should choose
// alike.
constexpr double kClearlySlower = 2;

}  // namespace

MatmulPlan probe_matmul() {
  MatmulPlan plan;
  plan.threads = at::get_num_threads();
  const char* device = std::getenv("HONE_DEVICE");
  const std::string_view where = device ? device : "auto";
  if (where != "auto" && where != "cpu" && where != "cuda")
    throw Error(Code::Invalid, "HONE_DEVICE takes auto, cpu or cuda", "HONE_DEVICE");
  std::string why;
  if (where != "cpu") plan.cuda = cuda::available(&why);
  if (where == "cuda" && !plan.cuda)
    throw Error(Code::Invalid, "HONE_DEVICE is cuda, and there is none: " + why, "HONE_DEVICE");
  if (plan.cuda) return plan;
  const char* asked = std::getenv("HONE_MATMUL");
  if (asked && std::string_view(asked) == "plain") return plan;
  // About the shape of a small model's MLP: 0.45 GFLOP a call, a few milliseconds.
  const auto x = numbers(256, 576, 0), w = numbers(1536, 576, 1);
  const auto exact = at::mm(x.to(at::kDouble), w.to(at::kDouble).t());
  const auto product = [&](bool onednn) {
    set_precision(onednn);
    return at::mm(x, w.t());
  };
  if (error(product(true), exact) < kF32Error) {
    const auto seconds = race([&] { return product(false); }, [&] { return product(true); });
    plan.onednn = seconds.other < kClearlySlower * seconds.usual;
  }
  set_precision(plan.onednn);
  if (direct_linear()) {
    for (const std::int64_t rows : {std::int64_t{1}, std::int64_t{16}, std::int64_t{64}}) {
      const auto few = x.narrow(0, 0, rows);
      if (error(call_direct(few, w), exact.narrow(0, 0, rows)) > kF32Error) break;
      const auto seconds =
          race([&] { return at::linear(few, w); }, [&] { return call_direct(few, w); });
      if (seconds.other > kClearlySlower * seconds.usual) break;
      plan.direct_rows = rows;
    }
  }
  set_precision(current.onednn);
  return plan;
}

void use_matmul_plan(const MatmulPlan& plan) {
  std::string why;
  if (plan.cuda && !cuda::available(&why))
    throw Error(Code::Invalid, "this run computes on a CUDA device, and there is none: " + why);
  if (plan.cuda) cuda::repeat_exactly();
  current = plan;
  at::set_num_threads(plan.threads);
  set_precision(plan.onednn);
}

const MatmulPlan& matmul_plan() { return current; }

at::Device compute_device() {
  return current.cuda ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
}

double probe_bf16() {
  if (current.cuda) {
    if (!cuda::multiplies_bf16()) return 0.1;  // it computes them in other ways, slowly
    const auto x = at::ones({2048, 2048}, at::TensorOptions(compute_device())), w = x.clone(),
               x16 = x.to(at::kBFloat16), w16 = w.to(at::kBFloat16);
    const auto seconds =
        race([&] { return at::mm(x, w.t()); }, [&] { return at::mm(x16, w16.t()); });
    return seconds.usual / seconds.other;
  }
  const auto x = numbers(256, 576, 0), w = numbers(1536, 576, 1);
  const auto w16 = w.to(at::kBFloat16);
  const auto seconds = race([&] { return matmul_nt(x, w); }, [&] { return matmul_nt(x, w16); });
  return seconds.usual / seconds.other;
}

DtypeProbe probe_dtype(Products products) {
  // bf16 costs accuracy: it takes more than the noise of a measure to prefer it.
  constexpr double kClearlyFaster = 1.25;
  DtypeProbe probe;
  if (products == Products::Passes || current.cuda) {
    probe.ratio = probe_bf16();
  } else {
    // 64 MB of f32: more than the caches hold.
    const auto w = at::ones({16384, 1024}, at::kFloat), w16 = w.to(at::kBFloat16),
               x = at::ones({1, 1024}, at::kFloat);
    const auto seconds = race([&] { return matmul_nt(x, w); }, [&] { return matmul_nt(x, w16); });
    probe.ratio = seconds.usual / seconds.other;
  }
  probe.bf16 = probe.ratio >= kClearlyFaster;
  return probe;
}

namespace {

/// Whether the product's time is that of reading w, which rows that lie adjacent can be read at.
bool reads_once(const at::Tensor& x, const at::Tensor& w) {
  return x.size(0) <= most_few_rows(w.scalar_type() == at::kBFloat16) && x.is_contiguous() &&
         w.is_contiguous();
}

/// Whether this machine's libraries multiply bf16 at all: on a CPU without such instructions oneDNN
/// refuses, and libtorch's own loops crawl.
bool multiplies_bf16() {
  static const bool yes = [] {
    if (!direct_linear()) return true;
    try {
      const auto some = numbers(1, 32, 0).to(at::kBFloat16);
      call_direct(some, some);
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }();
  return yes;
}

/// The routes that a plan chooses between are f32's; f64, which tests compute in, has the BLAS
/// alone.
bool is_f64(const at::Tensor& w) { return w.scalar_type() == at::kDouble; }

/// The products of bf16 operands on the CPU, as bf16.
at::Tensor rounded_nt(const at::Tensor& x, const at::Tensor& w) {
  const auto rounded = x.to(at::kBFloat16);
  if (!multiplies_bf16())
    return at::mm(rounded.to(at::kFloat), w.to(at::kFloat).t()).to(at::kBFloat16);
  const bool direct = x.size(0) <= current.direct_rows && direct_linear();
  return direct ? call_direct(rounded, w) : at::mm(rounded, w.t());
}

at::Tensor rounded_nn(const at::Tensor& y, const at::Tensor& w) {
  const auto rounded = y.to(at::kBFloat16);
  if (!multiplies_bf16()) return at::mm(rounded.to(at::kFloat), w.to(at::kFloat)).to(at::kBFloat16);
  return at::mm(rounded, w);
}

/// Under every plan: it reads the weights as fast as memory gives them, and rounds alike anywhere.
at::Tensor few(const at::Tensor& x, const at::Tensor& w, const float* base) {
  auto y = at::empty({x.size(0), w.size(0)}, x.options());
  const float* in = x.const_data_ptr<float>();
  if (w.scalar_type() == at::kBFloat16)
    few_rows(x.size(0), w.size(0), x.size(1), in,
             static_cast<const std::uint16_t*>(w.const_data_ptr()), base, y.data_ptr<float>());
  else
    few_rows(x.size(0), w.size(0), x.size(1), in, w.const_data_ptr<float>(), base,
             y.data_ptr<float>());
  return y;
}

/// Rounds nothing that is not yet: some rows at a time, each time reading all of w.
at::Tensor unrounded(const at::Tensor& x, const at::Tensor& w) {
  const std::int64_t m = x.size(0), n = w.size(0), k = x.size(1), most = most_few_rows(true);
  auto y = at::empty({m, n}, x.options());
  for (std::int64_t i = 0; i < m; i += most)
    few_rows(std::min(most, m - i), n, k, x.const_data_ptr<float>() + i * k,
             static_cast<const std::uint16_t*>(w.const_data_ptr()), nullptr,
             y.data_ptr<float>() + i * n, Rounding::Weights);
  return y;
}

}  // namespace

at::Tensor matmul_nt(const at::Tensor& x, const at::Tensor& w) {
  if (w.is_cuda()) return cuda::matmul_nt(x.to(w.scalar_type()), w);
  if (is_f64(w)) return at::mm(x, w.t());
  if (reads_once(x, w)) return few(x.to(at::kFloat), w, nullptr);
  if (w.scalar_type() == at::kBFloat16) return rounded_nt(x, w).to(at::kFloat);
  if (x.size(0) <= current.direct_rows && direct_linear()) return call_direct(x, w);
  return at::mm(x, w.t());
}

at::Tensor matmul_nt_f32(const at::Tensor& x, const at::Tensor& w) {
  if (w.is_cuda()) return cuda::matmul_nt_f32(x.to(w.scalar_type()), w);
  return w.scalar_type() == at::kBFloat16 ? unrounded(x.contiguous(), w) : matmul_nt(x, w);
}

at::Tensor add_matmul_nt(const at::Tensor& base, const at::Tensor& x, const at::Tensor& w) {
  if (w.is_cuda()) {
    auto y = base.clone();
    cuda::add_matmul_nt_to(y, x.to(w.scalar_type()), w);
    return y;
  }
  if (is_f64(w)) return at::addmm(base, x, w.t());
  if (reads_once(x, w) && base.is_contiguous())
    return few(x.to(at::kFloat), w, base.const_data_ptr<float>());
  if (w.scalar_type() == at::kBFloat16) return matmul_nt(x, w).add_(base);
  if (x.size(0) <= current.direct_rows && direct_linear()) return call_direct(x, w).add_(base);
  return at::addmm(base, x, w.t());
}

at::Tensor matmul_nn(const at::Tensor& y, const at::Tensor& w) {
  if (w.is_cuda()) return at::mm(y.to(w.scalar_type()), w);
  if (w.scalar_type() != at::kBFloat16) return at::mm(y, w);
  return rounded_nn(y, w).to(at::kFloat);
}

at::Tensor matmul_nt_rounded(const at::Tensor& x, const at::Tensor& w) {
  return w.is_cuda() ? cuda::matmul_nt(x.to(w.scalar_type()), w) : rounded_nt(x, w);
}

at::Tensor matmul_nn_rounded(const at::Tensor& y, const at::Tensor& w) {
  return w.is_cuda() ? at::mm(y.to(w.scalar_type()), w) : rounded_nn(y, w);
}

void accumulate_tn(at::Tensor into, const at::Tensor& y, const at::Tensor& x, double scale) {
  if (into.is_cuda()) return cuda::accumulate_tn(into, y, x.to(y.scalar_type()), scale);
  into.addmm_(y.t(), x, 1, scale);
}

void accumulate_rounded_tn(at::Tensor into, const at::Tensor& y, const at::Tensor& x) {
  if (into.is_cuda()) return cuda::accumulate_tn(into, y.to(at::kBFloat16), x.to(at::kBFloat16), 1);
  const auto y16 = y.to(at::kBFloat16), x16 = x.to(at::kBFloat16);
  if (multiplies_bf16())
    into.add_(at::mm(y16.t(), x16));
  else
    into.add_(at::mm(y16.to(at::kFloat).t(), x16.to(at::kFloat)).to(at::kBFloat16));
}

}  // namespace hone::rl
