// Attention of one new token per sequence over cached keys and values. Each sequence's keys lie in
// two pieces: its prompt's, shared by every sample of that prompt, and its own.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "rl/ops/attention.h"

namespace hone::rl {

/// Keys and values of one piece in one layer, as [kv_heads][2][capacity][dim], keys first.
struct KvPiece {
  const float* data = nullptr;
  std::int64_t tokens = 0;
  std::int64_t capacity = 0;
};

struct KvPair {
  KvPiece prompt, own;
};

/// Copies rows of k and v out of qkv [rows, (heads + 2 kv_heads) * dim] into a piece, from token
/// `at`.
void store_kv(const float* qkv, std::int64_t rows, const HeadShape& shape, float* piece,
              std::int64_t capacity, std::int64_t at);

/// q of qkv [B, (heads + 2 kv_heads) * dim] against sequences [B]: [B, heads * dim]. The new
/// token's own key and value must be stored already.
at::Tensor decode_attention(const at::Tensor& qkv, const std::vector<KvPair>& sequences,
                            const HeadShape& shape);

}  // namespace hone::rl
