// In the place of the CUDA files where the program was built without: there is no device, so that
// nothing else is ever called.
#include "feedback/base/error.h"
#include "rl/ops/cuda/device.h"
#include "rl/ops/cuda/ops.h"

namespace hone::rl::cuda {
namespace {

[[noreturn]] void refuse() {
  throw Error(Code::Invalid,
              "this program was built without CUDA (the preset cuda builds it with)");
}

}  // namespace

bool available(std::string* why) {
  if (why) *why = "this program was built without CUDA";
  return false;
}
std::string device_name() { return ""; }
std::int64_t free_memory() { return 0; }
std::int64_t total_memory() { return 0; }
std::int64_t peak_memory() { return 0; }
void synchronize() {}
void repeat_exactly() {}
bool multiplies_bf16() { return false; }

at::Tensor rms_norm(const at::Tensor&, const at::Tensor&, double, at::Tensor*, at::ScalarType) {
  refuse();
}
at::Tensor rms_norm_again(const at::Tensor&, const at::Tensor&, const at::Tensor&, at::ScalarType) {
  refuse();
}
void rms_norm_backward(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&,
                       at::Tensor, at::Tensor) {
  refuse();
}
at::Tensor swiglu(const at::Tensor&) { refuse(); }
at::Tensor swiglu_backward(const at::Tensor&, at::Tensor) { refuse(); }
void turn(at::Tensor, const at::Tensor&, const at::Tensor&, double, std::int64_t, int) { refuse(); }
void head_norm(at::Tensor, const at::Tensor&, const at::Tensor&, const HeadShape&, double,
               HeadNormTrace*) {
  refuse();
}
void head_norm_backward(at::Tensor, const at::Tensor&, const at::Tensor&, const HeadShape&,
                        const HeadNormTrace&, at::Tensor, at::Tensor) {
  refuse();
}
at::Tensor attention(const at::Tensor&, const Segments&, const HeadShape&, AttentionTrace*) {
  refuse();
}
at::Tensor attention_backward(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                              const Segments&, const HeadShape&, const AttentionTrace&) {
  refuse();
}
at::Tensor matmul_nt(const at::Tensor&, const at::Tensor&) { refuse(); }
void add_matmul_nt_to(at::Tensor, const at::Tensor&, const at::Tensor&) { refuse(); }
at::Tensor matmul_nt_f32(const at::Tensor&, const at::Tensor&) { refuse(); }
bool takes_norm_along(const at::Tensor&, const at::Tensor&) { return false; }
at::Tensor norm_matmul_nt(const at::Tensor&, const at::Tensor&, double, const at::Tensor&,
                          at::ScalarType) {
  refuse();
}
at::Tensor norm_matmul_swiglu(const at::Tensor&, const at::Tensor&, double, const at::Tensor&) {
  refuse();
}
void accumulate_tn(at::Tensor, const at::Tensor&, const at::Tensor&, double) { refuse(); }
LogitRows token_logprobs(const at::Tensor&, const at::Tensor&, double) { refuse(); }
at::Tensor token_logprobs_backward(at::Tensor, const at::Tensor&, double, const at::Tensor&,
                                   const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                   at::ScalarType) {
  refuse();
}

}  // namespace hone::rl::cuda
