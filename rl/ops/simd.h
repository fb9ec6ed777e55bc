// One source, several instruction sets: a function marked HONE_SIMD is compiled once for each and
// the loader picks. Portable programs, and loops as fast as -march=native would make them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define HONE_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define HONE_SIMD
#endif

namespace hone::rl {

/// e^x within 2 units in the last place for x in [-87, 88], clamped outside; written so that a loop
/// over it vectorises, which a call of std::exp does not.
[[gnu::always_inline]] inline float fast_exp(float x) {
  x = x < -87.0f ? -87.0f : (x > 88.0f ? 88.0f : x);
  // x = k ln 2 + r with |r| <= ln 2 / 2; adding and taking away 1.5 * 2^23 rounds to an integer.
  const float shifted = x * 1.44269504088896341f + 12582912.0f;
  std::int32_t shifted_bits;
  std::memcpy(&shifted_bits, &shifted, 4);
  const std::int32_t k = shifted_bits - 0x4B400000;
  const float kf = static_cast<float>(k);
  const float r = (x - kf * 0.693359375f) + kf * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const std::int32_t power_bits = (k + 127) << 23;
  float power;
  std::memcpy(&power, &power_bits, 4);
  return p * power;
}

/// Tests alone compute in f64: exact rather than fast.
[[gnu::always_inline]] inline double fast_exp(double x) { return std::exp(x); }

/// ln x within 2 units in the last place for normal positive x; vectorises like fast_exp.
[[gnu::always_inline]] inline float fast_log(float x) {
  // x = 2^k m with m in [sqrt(1/2), sqrt(2)): the bits above sqrt(1/2)'s count the powers.
  std::int32_t bits;
  std::memcpy(&bits, &x, 4);
  const std::int32_t above = bits - 0x3F3504F3;
  const auto k = static_cast<float>(above >> 23);
  const std::int32_t mantissa_bits = (above & 0x007FFFFF) + 0x3F3504F3;
  float m;
  std::memcpy(&m, &mantissa_bits, 4);
  m -= 1.0f;
  const float z = m * m;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  return k * 0.693359375f + (m + ((p * m * z + k * -2.12194440e-4f) - 0.5f * z));
}

/// A bf16 number as it is stored: the upper half of an f32.
struct Bf16 {
  std::uint16_t bits;
};

/// What is computed with.
[[gnu::always_inline]] inline float number(float x) { return x; }
[[gnu::always_inline]] inline double number(double x) { return x; }
[[gnu::always_inline]] inline float number(Bf16 x) {
  const std::uint32_t bits = static_cast<std::uint32_t>(x.bits) << 16;
  float out;
  std::memcpy(&out, &bits, 4);
  return out;
}

[[gnu::always_inline]] inline void store(float& to, float x) { to = x; }
[[gnu::always_inline]] inline void store(double& to, double x) { to = x; }
/// To the nearest, ties to even; the same bits as libtorch's conversion.
[[gnu::always_inline]] inline void store(Bf16& to, float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  const std::uint32_t nearest = bits + 0x7fffu + (bits >> 16 & 1u);
  to.bits = static_cast<std::uint16_t>(x != x ? 0x7fc0u : nearest >> 16);
}
[[gnu::always_inline]] inline void store(Bf16& to, double x) { store(to, static_cast<float>(x)); }

}  // namespace hone::rl
