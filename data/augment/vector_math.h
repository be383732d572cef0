// Logarithm, power of two, sine and cosine in single precision that a compiler turns into vector
// code: no branches, no tables, no errno. Largest errors about 1e-6 relative (log2, exp2) and
// 1e-6 absolute (sine, cosine). The same bits on every machine with fused multiply-add, unlike
// calls into the C library.
#pragma once

#include <bit>
#include <cstdint>

namespace lacuna::data {

// log2(x) for a positive normal x.
inline float fast_log2(float x) {
  const auto bits = std::bit_cast<std::int32_t>(x);
  // Exponent such that the mantissa lies in [sqrt(1/2), sqrt(2)).
  const std::int32_t exponent = (bits - 0x3f3504f3) >> 23;
  const float mantissa = std::bit_cast<float>(bits - (exponent << 23));
  const float t = (mantissa - 1) / (mantissa + 1);  // log(m) = 2 artanh(t), |t| < 0.172
  const float s = t * t;
  const float series = 1 + s * (1 / 3.0f + s * (1 / 5.0f + s * (1 / 7.0f + s * (1 / 9.0f))));
  return static_cast<float>(exponent) + 2.885390082f * t * series;  // 2 / ln 2
}

// 2^x for -126 <= x <= 126.
inline float fast_exp2(float x) {
  const auto whole = static_cast<std::int32_t>(x + 1024.5f) - 1024;  // nearest, x + 1024 > 0
  const float f = (x - static_cast<float>(whole)) * 0.6931471806f;   // |f| <= 0.347
  const float series =
      1 + f * (1 + f * (1 / 2.0f +
                        f * (1 / 6.0f + f * (1 / 24.0f + f * (1 / 120.0f + f * (1 / 720.0f))))));
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(series) + (whole << 23));
}

// x^p for x >= 0 and p > 0 where the result is a normal number; 0^p = 0.
inline float fast_power(float x, float p) {
  const float safe = x < 1e-30f ? 1e-30f : x;
  const float exponent = p * fast_log2(safe);
  const float value = fast_exp2(exponent < -120.0f ? -120.0f : exponent);
  return x < 1e-30f ? 0.0f : value;
}

// Sine and cosine of `turns` whole turns (2 pi radians), 0 <= turns < 1.
inline void sine_cosine(float turns, float& sine, float& cosine) {
  const auto quarter = static_cast<std::int32_t>(turns * 4 + 0.5f);
  const float x = (turns - static_cast<float>(quarter) * 0.25f) * 6.283185307f;  // |x| <= pi / 4
  const float s = x * x;
  const float sin_x =
      x * (1 + s * (-1 / 6.0f + s * (1 / 120.0f + s * (-1 / 5040.0f + s * (1 / 362880.0f)))));
  const float cos_x =
      1 + s * (-1 / 2.0f + s * (1 / 24.0f + s * (-1 / 720.0f + s * (1 / 40320.0f))));
  const bool swap = (quarter & 1) != 0;
  const float a = swap ? cos_x : sin_x;
  const float b = swap ? sin_x : cos_x;
  sine = (quarter & 2) != 0 ? -a : a;
  cosine = ((quarter + 1) & 2) != 0 ? -b : b;
}

}  // namespace lacuna::data
