// Where and how this process multiplies matrices: on a CUDA device where there is one, else on the
// CPU by the fastest route that is still f32, found by a probe at start. No autograd: the model's
// backward calls the products it needs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace hone::rl {

/// How this process multiplies. A run stores the plan of its first attempt in its checkpoints and
/// later attempts follow it: another route rounds differently and would break exact resume.
struct MatmulPlan {
  bool onednn = false;  ///< at::mm and its kind through oneDNN instead of the BLAS
  std::int64_t direct_rows =
      0;  ///< products of at most this many rows call oneDNN's linear directly
  int threads = 1;
  bool cuda = false;  ///< models are loaded onto the CUDA device; the rest is of the CPU

  bool operator==(const MatmulPlan&) const = default;
};

/// Takes the CUDA device where there is one; HONE_DEVICE=cpu in the environment leaves it, cuda
/// insists on it (Invalid without one). On the CPU it measures both routes (speed and error against
/// float64) for at most a tenth of a second, at the present number of threads. A route whose error
/// is not f32's is never chosen. Two runs on a busy machine may find different routes faster:
/// HONE_MATMUL=plain in the environment takes the BLAS without measuring, so that runs apart from
/// each other agree bit for bit as well.
MatmulPlan probe_matmul();

/// Makes `plan` the process's way of multiplying. Not while another thread multiplies. Invalid when
/// it wants a device that is not there.
void use_matmul_plan(const MatmulPlan& plan);
const MatmulPlan& matmul_plan();
/// Where the plan puts models.
at::Device compute_device();

/// How many times faster a product with bf16 operands is here than by the present f32 route,
/// measured for at most a tenth of a second.
double probe_bf16();

/// What products a program will mostly make.
enum class Products {
  Passes,  ///< hundreds of rows: training and scoring, bound by arithmetic
  Steps    ///< a few rows: decoding, bound by reading the weights
};

struct DtypeProbe {
  bool bf16 = false;  ///< clearly faster: take it where "auto" was asked for
  double ratio = 1;   ///< how many times as fast as f32 its products are here
};

/// Measures f32 against bf16 products on this machine, by the present routes and threads, for at
/// most two tenths of a second. Call after use_matmul_plan. Two calls on a busy machine may differ:
/// what must repeat itself keeps the answer.
DtypeProbe probe_dtype(Products products);

// A weight in bf16 asks for a product of bf16 operands: the other is rounded on the way in where it
// is not bf16 already, the sums inside are f32, and the result, rounded once, comes back: as f32 on
// the CPU, as bf16 on a device. On the CPU f64 times f64 is f64.

/// x [m,k] times w [n,k] transposed: [m,n].
at::Tensor matmul_nt(const at::Tensor& x, const at::Tensor& w);
/// The same as f32: the sums are not rounded, and on the CPU x is not either.
at::Tensor matmul_nt_f32(const at::Tensor& x, const at::Tensor& w);
/// base [m,n] + x [m,k] times w [n,k] transposed, as a new tensor.
at::Tensor add_matmul_nt(const at::Tensor& base, const at::Tensor& x, const at::Tensor& w);
/// y [m,n] times w [n,k]: [m,k].
at::Tensor matmul_nn(const at::Tensor& y, const at::Tensor& w);
/// matmul_nt and matmul_nn of bf16 operands, left in bf16 on the CPU too: for what flows on through
/// a kernel that reads and writes bf16.
at::Tensor matmul_nt_rounded(const at::Tensor& x, const at::Tensor& w);
at::Tensor matmul_nn_rounded(const at::Tensor& y, const at::Tensor& w);
/// into [n,k] += y [m,n] transposed times x [m,k].
void accumulate_tn(at::Tensor into, const at::Tensor& y, const at::Tensor& x, double scale = 1);
/// The same with both operands rounded to bf16.
void accumulate_rounded_tn(at::Tensor into, const at::Tensor& y, const at::Tensor& x);

}  // namespace hone::rl
