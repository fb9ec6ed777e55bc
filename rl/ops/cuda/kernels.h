// What the CUDA kernels are given: pointers, sizes, a stream. No torch types, so that nvcc compiles
// each file in seconds. Matrices are row-major with adjacent rows unless a stride is named; `bf16`
// says that a pointer to numbers is to bf16, else to f32. Every sum runs in a fixed order: the same
// numbers give the same bits.
#pragma once

#include <cstdint>
#include <tuple>

struct CUstream_st;

namespace hone::rl::cuda {

using Stream = CUstream_st*;

/// Numbers on the device, f32 or bf16.
struct Numbers {
  void* data = nullptr;
  bool bf16 = false;
};

/// While one lives on a thread, the weights do not change, and kernels that it starts may read them
/// before the kernels in front of them have ended (common.cuh).
class EarlyStarts {
 public:
  EarlyStarts();
  ~EarlyStarts();
  EarlyStarts(const EarlyStarts&) = delete;
  EarlyStarts& operator=(const EarlyStarts&) = delete;
  static bool now();
};

// --- rowwise.cu: what rl/ops/rowwise.h and head_norm.h do
// -----------------------------------------

/// y [T,C] = x [T,C] f32 / rms(x) * w [C]; writes rstd [T], or takes it where `again`.
void norm(const float* x, const float* w, float eps, Numbers y, float* rstd, bool again,
          std::int64_t T, std::int64_t C, Stream stream);
/// dx [T,C] f32 += the gradient through the norm of dy [T,C]; where `dw` is given, row b of dw
/// [norm_blocks(T), C] becomes block b's share of the weight's.
int norm_blocks(std::int64_t T);
void norm_backward(Numbers dy, const float* x, const float* w, const float* rstd, float* dx,
                   float* dw, std::int64_t T, std::int64_t C, Stream stream);
/// act [T,F] = silu(gate) * up of gate_up [T,2F], of one type.
void swiglu(Numbers gate_up, Numbers act, std::int64_t T, std::int64_t F, Stream stream);
/// gate_up becomes its own gradient, act what it gave.
void swiglu_backward(Numbers dact, Numbers gate_up, Numbers act, std::int64_t T, std::int64_t F,
                     Stream stream);
/// Turns `heads` heads of each row of x by its position: f [dim/2] turns a position, cosines and
/// sines times `factor`.
void turn(Numbers x, const std::int64_t* positions, const float* f, float factor, int direction,
          std::int64_t T, std::int64_t stride, std::int64_t heads, std::int64_t dim, Stream stream);
/// Each of q_heads + k_heads heads of a row, in place; rstd [T, heads] where given.
void head_norm(Numbers qkv, const float* q_weight, const float* k_weight, float eps, float* rstd,
               std::int64_t T, std::int64_t stride, std::int64_t q_heads, std::int64_t k_heads,
               std::int64_t dim, Stream stream);
/// dqkv becomes the gradient of head_norm's input, qk [T, heads * dim].
void head_norm_backward(Numbers dqkv, Numbers qk, const float* q_weight, const float* k_weight,
                        const float* rstd, std::int64_t T, std::int64_t stride,
                        std::int64_t q_heads, std::int64_t k_heads, std::int64_t dim,
                        Stream stream);

// --- few_rows.cu: products of a decode step of few samples
// ----------------------------------------

/// Up to here reading the weights is what takes the time, and this reads them faster than cuBLAS.
inline constexpr std::int64_t kFewRows = 4;
/// y [m,n] = x [m,k] w [n,k]^T, both bf16, k a multiple of 8. y as bf16; as f32, unrounded; or,
/// where `base` [m,n] is given (y itself, it may be), as f32: base plus the product.
void few_rows(const void* x, const void* w, const float* base, Numbers y, std::int64_t m,
              std::int64_t n, std::int64_t k, Stream stream);
/// The same of norm(x) for x [m,k] f32, the same bits as by both kernels; y as bf16 or f32. Where
/// `swiglu`, w is gate and up, and y [m,n/2] bf16 what swiglu makes of the product.
void few_normed_rows(const float* x, const float* norm, float eps, const void* w, bool swiglu,
                     Numbers y, std::int64_t m, std::int64_t n, std::int64_t k, Stream stream);
/// Whether it takes such rows: a block keeps them all.
bool few_normed_fits(std::int64_t m, std::int64_t k);

// --- head.cu: what rl/ops/head.h does to rows of logits
// -------------------------------------------

/// Of each row of logits [n,V] f32 times `scale`: log-sum-exp, log-probability of the target,
/// entropy and whether no token is likelier. `entropy` and `likeliest` may be null.
void token_logprobs(const float* logits, const std::int64_t* targets, float scale, float* lse,
                    float* logprobs, float* entropy, float* likeliest, std::int64_t n,
                    std::int64_t V, Stream stream);
/// The logits' gradient, f32 in place or bf16, from that of the log-probabilities and, where given,
/// of the entropies.
void token_logprobs_backward(const float* logits, Numbers dlogits, const std::int64_t* targets,
                             float scale, const float* lse, const float* dlogprobs,
                             const float* entropy, const float* dentropy, std::int64_t n,
                             std::int64_t V, Stream stream);

// --- attention.cu: around the attention kernel
// ----------------------------------------------------

/// dqkv [T, q + 2 kv] from dq [T, q] and from dk, dv [keys, kv], of which row t takes the sum of
/// those at which[first[t]] ... which[first[t + 1] - 1]; `first` null: its own alone.
void gather_gradients(Numbers dq, Numbers dk, Numbers dv, Numbers dqkv, const std::int32_t* first,
                      const std::int32_t* which, std::int64_t T, std::int64_t q, std::int64_t kv,
                      Stream stream);

// --- decode.cu: one new token for each of several samples
// -----------------------------------------

/// A sample in the making, as a step's kernels see it. A row that is no sample has slot -1.
struct Row {
  const void* prompt =
      nullptr;            ///< the prompt's keys and values, [layers][kv_heads][2][tokens][dim]
  double uniform = 0;     ///< in [0, 1): draws the token
  float temperature = 1;  ///< 0: the likeliest
  std::int32_t prompt_tokens = 0;
  std::int32_t own_tokens = 0;  ///< the new one included
  std::int32_t slot = -1;
  /// How many rows, this one and those behind it, are of its prompt and read it together, at most
  /// decode_together(); 0: a row in front of it counts it.
  std::int32_t together = 1;
};

struct Cache {
  void* own = nullptr;  ///< [layers][slots][kv_heads][2][capacity][dim]
  bool bf16 = false;
  std::int64_t layer = 0, slots = 0, capacity = 0;
  std::int64_t heads = 0, kv_heads = 0, dim = 0, window = 0;
};

/// Puts the keys and values of qkv's rows [rows, (heads + 2 kv_heads) * dim] into a piece
/// [kv_heads][2][capacity][dim] from token 0 on.
void store_prompt(Numbers qkv, void* piece, const Cache& cache, std::int64_t rows,
                  std::int64_t capacity, Stream stream);
/// No row has more keys of its prompt, or of its own.
struct DecodeSize {
  std::int64_t rows = 0, prompt_tokens = 0, own_tokens = 0;
  bool operator<(const DecodeSize& other) const {
    return std::tie(rows, prompt_tokens, own_tokens) <
           std::tie(other.rows, other.prompt_tokens, other.own_tokens);
  }
};

/// How many rows of one prompt may read it together.
int decode_together(const Cache& cache);
/// What decode_attention wants beside: floats of scratch; and integers that are zero before it and
/// after it.
std::int64_t decode_scratch(const Cache& cache, const DecodeSize& size);
std::int64_t decode_tickets(const Cache& cache, std::int64_t B);
/// Puts each row's new key and value into its slot. out [B, heads * dim]: each row's query over its
/// prompt's keys and its own.
void decode_attention(Numbers qkv, const Row* rows, const Cache& cache, Numbers out, float* scratch,
                      int* tickets, const DecodeSize& size, Stream stream);

// --- choose.cu: from logits to tokens
// -------------------------------------------------------------

/// As choose_token without penalty or truncation: ids [B], -1 where the logits are not finite, and
/// log-probabilities [B], of logits [B,V] f32. Wants choose_scratch(B, V) floats.
std::int64_t choose_scratch(std::int64_t B, std::int64_t V);
void choose(const float* logits, const Row* rows, std::int64_t* ids, float* logprobs,
            float* scratch, std::int64_t B, std::int64_t V, Stream stream);

}  // namespace hone::rl::cuda
