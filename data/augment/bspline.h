// Cubic B-spline interpolation: the prefilter that turns samples into coefficients, and the four
// weights around a point (Unser, "Splines: a perfect fit", 1999; what scipy.ndimage calls order 3).
// Edges are mirrored about the end samples: d c b | a b c d | c b a.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace lacuna::data {

// Samples to coefficients along the middle axis of an array of outer x n x inner, in place.
template <typename T>
void bspline_prefilter(T* values, std::int64_t outer, std::int64_t n, std::int64_t inner) {
  if (n < 2) return;
  const T pole = static_cast<T>(std::sqrt(3.0) - 2);
  const std::int64_t period = 2 * n - 2;
  // pole^24 is 2e-14: what lies farther away does not reach the first coefficient.
  const std::int64_t horizon = std::min<std::int64_t>(period, 24);
  const T normaliser = 1 / (1 - std::pow(pole, static_cast<T>(period)));
  const T last_factor = pole / (pole * pole - 1);
  for (std::int64_t o = 0; o < outer; ++o) {
    T* lines = values + o * n * inner;
    for (std::int64_t i = 0; i < n * inner; ++i) lines[i] *= 6;
    T power = 1;
    for (std::int64_t k = 1; k < horizon; ++k) {
      power *= pole;
      // The first row is needed unchanged by no other term: mirror(k) is 0 only for k = 0.
      const T* row = lines + (k < n ? k : period - k) * inner;
      for (std::int64_t i = 0; i < inner; ++i) lines[i] += power * row[i];
    }
    for (std::int64_t i = 0; i < inner; ++i) lines[i] *= normaliser;
    for (std::int64_t k = 1; k < n; ++k) {
      T* row = lines + k * inner;
      for (std::int64_t i = 0; i < inner; ++i) row[i] += pole * row[i - inner];
    }
    T* last = lines + (n - 1) * inner;
    for (std::int64_t i = 0; i < inner; ++i) {
      last[i] = last_factor * (last[i] + pole * last[i - inner]);
    }
    for (std::int64_t k = n - 2; k >= 0; --k) {
      T* row = lines + k * inner;
      for (std::int64_t i = 0; i < inner; ++i) row[i] = pole * (row[i + inner] - row[i]);
    }
  }
}

// Weights of the coefficients at floor(x) - 1 .. floor(x) + 2, with t = x - floor(x).
template <typename T>
std::array<T, 4> bspline_weights(T t) {
  const T s = 1 - t;
  return {s * s * s / 6, (4 - 6 * t * t + 3 * t * t * t) / 6, (4 - 6 * s * s + 3 * s * s * s) / 6,
          t * t * t / 6};
}

}  // namespace lacuna::data
