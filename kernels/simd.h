// Vectors of one AVX2 register for kernels that load float, double or bfloat16 and compute in
// float (double for double). Works on any compiler with GNU vector extensions; the instruction set
// is the build's -march. Pure functions.
#pragma once

#include <cstdint>
#include <cstring>

#include <c10/util/BFloat16.h>

namespace lacuna::kernels {

template <typename T>
struct Simd {
  using Scalar = T;  // what is computed with
  static constexpr int kWidth = 32 / sizeof(T);
  using Vector __attribute__((vector_size(32))) = T;

  static Vector load(const T* from) {
    Vector value;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }
  static void store(T* to, Vector value) { std::memcpy(to, &value, sizeof(value)); }
};

template <>
struct Simd<c10::BFloat16> {
  using Scalar = float;
  static constexpr int kWidth = 8;
  using Vector __attribute__((vector_size(32))) = float;
  using Bits __attribute__((vector_size(32))) = std::uint32_t;
  using Half __attribute__((vector_size(16))) = std::uint16_t;

  static Vector load(const c10::BFloat16* from) {
    Half half;
    std::memcpy(&half, from, sizeof(half));
    return reinterpret_cast<Vector>(__builtin_convertvector(half, Bits) << 16);
  }
  static void store(c10::BFloat16* to, Vector value) {
    const Bits bits = reinterpret_cast<Bits>(value);
    const Bits nearest_even = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    const Bits quiet_nan = (bits >> 16) | 0x40u;  // rounding could turn a NaN into infinity
    const Bits kept = reinterpret_cast<Bits>(value == value);
    const Half half = __builtin_convertvector((nearest_even & kept) | (quiet_nan & ~kept), Half);
    std::memcpy(to, &half, sizeof(half));
  }
};

// The first `count` elements; lanes behind them are `fill`.
template <typename T>
inline typename Simd<T>::Vector fetch(const T* from, int count, typename Simd<T>::Scalar fill) {
  if (count == Simd<T>::kWidth) return Simd<T>::load(from);
  T buffer[Simd<T>::kWidth];
  for (int i = 0; i < Simd<T>::kWidth; ++i) buffer[i] = i < count ? from[i] : static_cast<T>(fill);
  return Simd<T>::load(buffer);
}

template <typename T>
inline void put(T* to, int count, typename Simd<T>::Vector value) {
  if (count == Simd<T>::kWidth) return Simd<T>::store(to, value);
  T buffer[Simd<T>::kWidth];
  Simd<T>::store(buffer, value);
  for (int i = 0; i < count; ++i) to[i] = buffer[i];
}

template <typename Vector>
double sum_lanes(Vector value) {
  double sum = 0;
  for (std::size_t i = 0; i < sizeof(value) / sizeof(value[0]); ++i) sum += value[i];
  return sum;
}

}  // namespace lacuna::kernels
