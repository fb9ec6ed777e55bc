// The block layouts of GGUF's number types, as llama.cpp defines them; values are equal to the bit
// to those of the `gguf` package.
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "rl/formats/gguf.h"

namespace hone::rl {
namespace {

using Byte = std::uint8_t;

float half_at(const Byte* in) {
  std::uint16_t bits;
  std::memcpy(&bits, in, 2);
  return c10::detail::fp16_ieee_to_fp32_value(bits);
}

void f32(const Byte* in, float* out) { std::memcpy(out, in, 4); }
void f16(const Byte* in, float* out) { *out = half_at(in); }
void bf16(const Byte* in, float* out) {
  std::uint16_t bits;
  std::memcpy(&bits, in, 2);
  *out = c10::detail::f32_from_bits(bits);
}

// 32 numbers of 4 bits: the low nibbles are the first 16, the high ones the rest.
void q4_0(const Byte* in, float* out) {
  const float d = half_at(in);
  const Byte* q = in + 2;
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((q[i] & 15) - 8);
    out[i + 16] = d * static_cast<float>((q[i] >> 4) - 8);
  }
}

void q4_1(const Byte* in, float* out) {
  const float d = half_at(in);
  const float m = half_at(in + 2);
  const Byte* q = in + 4;
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(q[i] & 15) + m;
    out[i + 16] = d * static_cast<float>(q[i] >> 4) + m;
  }
}

// As the 4-bit types, with the fifth bits of all 32 numbers in one word before them.
std::uint32_t fifth_bits(const Byte* in) {
  std::uint32_t bits;
  std::memcpy(&bits, in, 4);
  return bits;
}

void q5_0(const Byte* in, float* out) {
  const float d = half_at(in);
  const auto high = fifth_bits(in + 2);
  const Byte* q = in + 6;
  for (int i = 0; i < 16; ++i) {
    const int low_half = (q[i] & 15) | static_cast<int>((high >> i & 1) << 4);
    const int high_half = (q[i] >> 4) | static_cast<int>((high >> (i + 16) & 1) << 4);
    out[i] = d * static_cast<float>(low_half - 16);
    out[i + 16] = d * static_cast<float>(high_half - 16);
  }
}

void q5_1(const Byte* in, float* out) {
  const float d = half_at(in);
  const float m = half_at(in + 2);
  const auto high = fifth_bits(in + 4);
  const Byte* q = in + 8;
  for (int i = 0; i < 16; ++i) {
    const int low_half = (q[i] & 15) | static_cast<int>((high >> i & 1) << 4);
    const int high_half = (q[i] >> 4) | static_cast<int>((high >> (i + 16) & 1) << 4);
    out[i] = d * static_cast<float>(low_half) + m;
    out[i + 16] = d * static_cast<float>(high_half) + m;
  }
}

void q8_0(const Byte* in, float* out) {
  const float d = half_at(in);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<std::int8_t>(in[2 + i]));
}

// 12 bytes hold 8 scales and 8 minima of 6 bits: the first four of each whole in bytes 0-7, the
// last four with their low nibbles in bytes 8-11 and their two high bits on top of bytes 0-7.
struct ScaleMin {
  int scale;
  int min;
};
ScaleMin scale_min(const Byte* s, int j) {
  if (j < 4) return {s[j] & 63, s[j + 4] & 63};
  return {(s[j + 4] & 15) | (s[j - 4] >> 6) << 4, (s[j + 4] >> 4) | (s[j] >> 6) << 4};
}

// 8 sub-blocks of 32; each 32 bytes of qs hold two of them, low nibbles and high.
void q4_k(const Byte* in, float* out) {
  const float d = half_at(in);
  const float dmin = half_at(in + 2);
  const Byte* q = in + 16;
  for (int j = 0; j < 8; ++j) {
    const auto [scale, min] = scale_min(in + 4, j);
    const float ds = d * static_cast<float>(scale);
    const float dm = dmin * static_cast<float>(min);
    const Byte* part = q + 32 * (j / 2);
    for (int i = 0; i < 32; ++i) {
      const int value = j % 2 == 0 ? part[i] & 15 : part[i] >> 4;
      out[32 * j + i] = ds * static_cast<float>(value) - dm;
    }
  }
}

void q5_k(const Byte* in, float* out) {
  const float d = half_at(in);
  const float dmin = half_at(in + 2);
  const Byte* high = in + 16;
  const Byte* q = in + 48;
  for (int j = 0; j < 8; ++j) {
    const auto [scale, min] = scale_min(in + 4, j);
    const float ds = d * static_cast<float>(scale);
    const float dm = dmin * static_cast<float>(min);
    const Byte* part = q + 32 * (j / 2);
    for (int i = 0; i < 32; ++i) {
      const int value = (j % 2 == 0 ? part[i] & 15 : part[i] >> 4) | (high[i] >> j & 1) << 4;
      out[32 * j + i] = ds * static_cast<float>(value) - dm;
    }
  }
}

// Two halves of 128; in each, four runs of 32 with 4 low bits in ql and 2 high bits in qh.
void q6_k(const Byte* in, float* out) {
  const float d = half_at(in + 208);
  for (int half = 0; half < 2; ++half) {
    const Byte* ql = in + 64 * half;
    const Byte* qh = in + 128 + 32 * half;
    const auto* scales = reinterpret_cast<const std::int8_t*>(in + 192 + 8 * half);
    for (int run = 0; run < 4; ++run) {
      for (int i = 0; i < 32; ++i) {
        const Byte low = ql[i + 32 * (run % 2)];
        const int value = (run < 2 ? low & 15 : low >> 4) | (qh[i] >> (2 * run) & 3) << 4;
        const float ds = d * static_cast<float>(scales[i / 16 + 2 * run]);
        out[128 * half + 32 * run + i] = ds * static_cast<float>(value - 32);
      }
    }
  }
}

struct Row {
  GgmlType type;
  GgmlLayout layout;
  void (*block)(const Byte* in, float* out);
};
constexpr std::array kRows = {
    Row{GgmlType::F32, {"F32", 1, 4}, f32},        Row{GgmlType::F16, {"F16", 1, 2}, f16},
    Row{GgmlType::BF16, {"BF16", 1, 2}, bf16},     Row{GgmlType::Q4_0, {"Q4_0", 32, 18}, q4_0},
    Row{GgmlType::Q4_1, {"Q4_1", 32, 20}, q4_1},   Row{GgmlType::Q5_0, {"Q5_0", 32, 22}, q5_0},
    Row{GgmlType::Q5_1, {"Q5_1", 32, 24}, q5_1},   Row{GgmlType::Q8_0, {"Q8_0", 32, 34}, q8_0},
    Row{GgmlType::Q4_K, {"Q4_K", 256, 144}, q4_k}, Row{GgmlType::Q5_K, {"Q5_K", 256, 176}, q5_k},
    Row{GgmlType::Q6_K, {"Q6_K", 256, 210}, q6_k},
};

}  // namespace

const GgmlLayout* ggml_layout(std::uint32_t type) {
  for (const auto& row : kRows)
    if (static_cast<std::uint32_t>(row.type) == type) return &row.layout;
  return nullptr;
}

void dequantise(GgmlType type, const std::uint8_t* in, std::int64_t count, float* out) {
  for (const auto& row : kRows) {
    if (row.type != type) continue;
    for (std::int64_t at = 0; at < count;
         at += row.layout.block_numbers, in += row.layout.block_bytes)
      row.block(in, out + at);
    return;
  }
}

}  // namespace hone::rl
