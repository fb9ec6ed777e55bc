#include <ATen/TensorOperators.h>
#include <ATen/cuda/CUDAContext.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <cublas_v2.h>

#include <algorithm>

#include "rl/ops/cuda/ops.h"
#include "rl/ops/cuda/tensors.h"

namespace hone::rl::cuda {
namespace {

/// Row-major c [m,n] f32 = alpha a b + beta c, with a [m,k] and b [k,n] of one type, each maybe
/// transposed. libtorch's own products round to the operands' type.
struct Operand {
  at::Tensor rows;  // rows that may lie apart, of adjacent numbers
  bool transposed = false;
  std::int64_t apart() const {
    return rows.size(0) > 1 ? rows.stride(0) : std::max<std::int64_t>(rows.size(1), 1);
  }
};

at::Tensor with_rows(const at::Tensor& t) {
  return t.stride(1) == 1 || t.size(1) == 1 ? t : t.contiguous();
}

void product(const Operand& a, const Operand& b, at::Tensor c, float alpha, float beta) {
  const std::int64_t m = c.size(0), n = c.size(1),
                     k = a.transposed ? a.rows.size(0) : a.rows.size(1);
  if (m == 0 || n == 0) return;
  const auto type = a.rows.scalar_type() == at::kBFloat16 ? CUDA_R_16BF : CUDA_R_32F;
  TORCH_CHECK(a.rows.scalar_type() == b.rows.scalar_type(), "operands of one type");
  TORCH_CHECK(c.stride(1) == 1 || n == 1, "a product's rows are adjacent numbers");
  // cuBLAS counts by columns: its c is ours transposed, so b comes first.
  const auto status = cublasGemmEx(
      at::cuda::getCurrentCUDABlasHandle(), b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N,
      a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N, static_cast<int>(n), static_cast<int>(m),
      static_cast<int>(k), &alpha, b.rows.const_data_ptr(), type, static_cast<int>(b.apart()),
      a.rows.const_data_ptr(), type, static_cast<int>(a.apart()), &beta, c.data_ptr(), CUDA_R_32F,
      static_cast<int>(m > 1 ? c.stride(0) : n), CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
  TORCH_CHECK(status == CUBLAS_STATUS_SUCCESS, "cuBLAS refuses a product of ", m, " x ", n, " x ",
              k, ": ", cublasGetStatusString(status));
}

bool few(const at::Tensor& x, const at::Tensor& w) {
  return x.size(0) > 0 && x.size(0) <= kFewRows && x.scalar_type() == at::kBFloat16 &&
         x.size(1) % 8 == 0 && x.is_contiguous() && w.is_contiguous();
}

at::Tensor few_rows(const at::Tensor& x, const at::Tensor& w, at::ScalarType type) {
  auto y = at::empty({x.size(0), w.size(0)}, x.options().dtype(type));
  few_rows(x.const_data_ptr(), w.const_data_ptr(), nullptr, numbers(y), x.size(0), w.size(0),
           x.size(1), stream());
  return y;
}

}  // namespace

at::Tensor matmul_nt(const at::Tensor& x, const at::Tensor& w) {
  return few(x, w) ? few_rows(x, w, x.scalar_type()) : at::mm(x, w.t());
}

void add_matmul_nt_to(at::Tensor base, const at::Tensor& x, const at::Tensor& w) {
  if (few(x, w))
    few_rows(x.const_data_ptr(), w.const_data_ptr(), floats(base), numbers(base), x.size(0),
             w.size(0), x.size(1), stream());
  else
    product({with_rows(x)}, {with_rows(w), true}, base, 1, 1);
}

at::Tensor matmul_nt_f32(const at::Tensor& x, const at::Tensor& w) {
  if (few(x, w)) return few_rows(x, w, at::kFloat);
  auto y = at::empty({x.size(0), w.size(0)}, x.options().dtype(at::kFloat));
  product({with_rows(x)}, {with_rows(w), true}, y, 1, 0);
  return y;
}

bool takes_norm_along(const at::Tensor& x, const at::Tensor& w) {
  return x.size(0) > 0 && few_normed_fits(x.size(0), x.size(1)) && x.is_contiguous() &&
         w.scalar_type() == at::kBFloat16 && w.is_contiguous();
}

at::Tensor norm_matmul_nt(const at::Tensor& x, const at::Tensor& norm, double eps,
                          const at::Tensor& w, at::ScalarType type) {
  auto y = at::empty({x.size(0), w.size(0)}, x.options().dtype(type));
  few_normed_rows(floats(x), floats(norm), static_cast<float>(eps), w.const_data_ptr(),
                  /*swiglu=*/false, numbers(y), x.size(0), w.size(0), x.size(1), stream());
  return y;
}

at::Tensor norm_matmul_swiglu(const at::Tensor& x, const at::Tensor& norm, double eps,
                              const at::Tensor& w) {
  auto y = at::empty({x.size(0), w.size(0) / 2}, w.options());
  few_normed_rows(floats(x), floats(norm), static_cast<float>(eps), w.const_data_ptr(),
                  /*swiglu=*/true, numbers(y), x.size(0), w.size(0), x.size(1), stream());
  return y;
}

void accumulate_tn(at::Tensor into, const at::Tensor& y, const at::Tensor& x, double scale) {
  if (y.size(0) == 0) return;
  product({with_rows(y), true}, {with_rows(x)}, into, static_cast<float>(scale), 1);
}

}  // namespace hone::rl::cuda
