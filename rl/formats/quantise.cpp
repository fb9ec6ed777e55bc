// Numbers into GGUF's block layouts. For all types but Q4_K the bytes are equal to those of the
// `gguf` package; Q4_K leaves the choice of scales to the writer.
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "rl/formats/gguf.h"

namespace hone::rl {
namespace {

using Byte = std::uint8_t;

float put_half(float value, Byte* out) {
  const std::uint16_t bits = c10::detail::fp16_ieee_from_fp32_value(value);
  std::memcpy(out, &bits, 2);
  return c10::detail::fp16_ieee_to_fp32_value(bits);
}

void f32(const float* in, Byte* out) { std::memcpy(out, in, 4); }
void f16(const float* in, Byte* out) { put_half(*in, out); }
void bf16(const float* in, Byte* out) {
  const std::uint16_t bits = c10::detail::round_to_nearest_even(*in);
  std::memcpy(out, &bits, 2);
}

/// The number furthest from zero, the first of equals.
float extreme(const float* in, int count) {
  float found = in[0];
  for (int i = 1; i < count; ++i)
    if (std::abs(in[i]) > std::abs(found)) found = in[i];
  return found;
}

// q = round(x / d), half away from zero.
void q8_0(const float* in, Byte* out) {
  const float d = std::abs(extreme(in, 32)) / 127;
  const float inverse = d == 0 ? 0 : 1 / d;
  put_half(d, out);
  for (int i = 0; i < 32; ++i)
    out[2 + i] = static_cast<Byte>(static_cast<std::int8_t>(std::round(in[i] * inverse)));
}

/// The extreme number falls on the end of the range that reaches further, -2^(bits-1).
std::array<Byte, 32> levels(const float* in, int half_range, Byte* d_out) {
  const float d = extreme(in, 32) / static_cast<float>(-half_range);
  const float inverse = d == 0 ? 0 : 1 / d;
  put_half(d, d_out);
  std::array<Byte, 32> q{};
  for (int i = 0; i < 32; ++i) {
    const float scaled = in[i] * inverse;
    const auto level = static_cast<int>(scaled + (static_cast<float>(half_range) + 0.5F));
    q[static_cast<std::size_t>(i)] = static_cast<Byte>(std::clamp(level, 0, 2 * half_range - 1));
  }
  return q;
}

void put_nibbles(const std::array<Byte, 32>& q, Byte* out) {
  for (std::size_t i = 0; i < 16; ++i)
    out[i] = static_cast<Byte>((q[i] & 15) | (q[i + 16] & 15) << 4);
}

void q4_0(const float* in, Byte* out) { put_nibbles(levels(in, 8, out), out + 2); }

void q5_0(const float* in, Byte* out) {
  const auto q = levels(in, 16, out);
  std::uint32_t high = 0;
  for (std::size_t i = 0; i < 32; ++i) high |= static_cast<std::uint32_t>(q[i] >> 4) << i;
  std::memcpy(out + 2, &high, 4);
  put_nibbles(q, out + 6);
}

// ---- Q4_K: eight runs of 32, x = scale * q - min with q from 0 to 15; the eight scales and minima
// are themselves multiples, from 0 to 63, of two numbers of the block.

constexpr int kRun = 32;
constexpr int kRuns = 8;
constexpr int kLevels = 15;

struct Line {
  double scale = 0;
  double min = 0;  // taken away, never below 0
  double error = 0;
};

/// Given each number's level, the scale and minimum of least squares.
Line fit(const float* x, const std::array<int, kRun>& q) {
  double sq = 0, sqq = 0, sx = 0, sxq = 0;
  for (int i = 0; i < kRun; ++i) {
    const double level = q[static_cast<std::size_t>(i)];
    sq += level;
    sqq += level * level;
    sx += x[i];
    sxq += level * x[i];
  }
  Line line;
  const double spread = kRun * sqq - sq * sq;
  if (spread > 0) {
    line.scale = (kRun * sxq - sq * sx) / spread;
    line.min = -(sx - line.scale * sq) / kRun;
  }
  if (line.min < 0 || spread <= 0) {
    line.min = 0;
    line.scale = sqq > 0 ? sxq / sqq : 0;
  }
  line.scale = std::max(line.scale, 0.0);
  for (int i = 0; i < kRun; ++i) {
    const double off = line.scale * q[static_cast<std::size_t>(i)] - line.min - x[i];
    line.error += off * off;
  }
  return line;
}

std::array<int, kRun> levels_on(const float* x, double scale, double min) {
  std::array<int, kRun> q{};
  if (scale > 0)
    for (int i = 0; i < kRun; ++i)
      q[static_cast<std::size_t>(i)] =
          std::clamp(static_cast<int>(std::lround((x[i] + min) / scale)), 0, kLevels);
  return q;
}

/// The best of several starts: the range cut into a few more or a few less than 15 steps, levels
/// read off it, the line fitted to those.
Line best_line(const float* x) {
  const auto [low, high] = std::minmax_element(x, x + kRun);
  const double min = std::max(0.0, -static_cast<double>(*low));
  const double range = static_cast<double>(*high) + min;
  if (!(range > 0)) return {0, min, 0};  // all equal, and not above zero
  Line best;
  bool first = true;
  for (double steps = kLevels - 2; steps <= kLevels + 2; steps += 0.25) {
    const auto line = fit(x, levels_on(x, range / steps, min));
    if (first || line.error < best.error) best = line;
    first = false;
  }
  return best;
}

void q4_k(const float* in, Byte* out) {
  std::array<Line, kRuns> lines;
  double scale_max = 0, min_max = 0;
  for (int j = 0; j < kRuns; ++j) {
    auto& line = lines[static_cast<std::size_t>(j)];
    line = best_line(in + kRun * j);
    scale_max = std::max(scale_max, line.scale);
    min_max = std::max(min_max, line.min);
  }
  const double d = put_half(static_cast<float>(scale_max / 63), out);
  const double dmin = put_half(static_cast<float>(min_max / 63), out + 2);
  std::array<int, kRuns> scales{}, mins{};
  const auto multiple = [](double value, double unit) {
    return unit > 0 ? std::clamp(static_cast<int>(std::lround(value / unit)), 0, 63) : 0;
  };
  for (std::size_t j = 0; j < kRuns; ++j) {
    scales[j] = multiple(lines[j].scale, d);
    mins[j] = multiple(lines[j].min, dmin);
  }
  // Six bits each in twelve bytes: the first four of both whole, the last four split (see
  // scale_min in dequantise.cpp).
  Byte* packed = out + 4;
  for (std::size_t j = 0; j < 4; ++j) {
    packed[j] = static_cast<Byte>(scales[j] | (scales[j + 4] >> 4) << 6);
    packed[j + 4] = static_cast<Byte>(mins[j] | (mins[j + 4] >> 4) << 6);
    packed[j + 8] = static_cast<Byte>((scales[j + 4] & 15) | (mins[j + 4] & 15) << 4);
  }
  Byte* qs = out + 16;
  for (int j = 0; j < kRuns; ++j) {
    const auto q = levels_on(in + kRun * j, d * scales[static_cast<std::size_t>(j)],
                             dmin * mins[static_cast<std::size_t>(j)]);
    for (int i = 0; i < kRun; ++i) {
      auto& byte = qs[kRun * (j / 2) + i];
      const auto level = static_cast<Byte>(q[static_cast<std::size_t>(i)]);
      byte = j % 2 == 0 ? level : static_cast<Byte>(byte | level << 4);
    }
  }
}

struct Row {
  GgmlType type;
  void (*block)(const float* in, Byte* out);
};
constexpr std::array kRows = {
    Row{GgmlType::F32, f32},   Row{GgmlType::F16, f16},   Row{GgmlType::BF16, bf16},
    Row{GgmlType::Q8_0, q8_0}, Row{GgmlType::Q4_0, q4_0}, Row{GgmlType::Q5_0, q5_0},
    Row{GgmlType::Q4_K, q4_k},
};

}  // namespace

bool can_quantise(GgmlType type) {
  return std::ranges::find(kRows, type, &Row::type) != kRows.end();
}

void quantise(GgmlType type, const float* in, std::int64_t count, std::uint8_t* out) {
  const auto* row = std::ranges::find(kRows, type, &Row::type);
  const auto* layout = ggml_layout(static_cast<std::uint32_t>(type));
  if (row == kRows.end()) return;
  for (std::int64_t at = 0; at < count; at += layout->block_numbers, out += layout->block_bytes)
    row->block(in + at, out);
}

}  // namespace hone::rl
