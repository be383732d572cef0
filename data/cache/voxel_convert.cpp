#include "data/cache/voxel_convert.h"

#include <immintrin.h>

namespace lacuna::data {

void widen(const std::int16_t* in, float* out, std::size_t count) {
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
    _mm256_storeu_ps(out + i, _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(packed)));
  }
  for (; i < count; ++i) out[i] = in[i];
}

void widen_half(const std::uint16_t* in, float scale, float offset, float* out, std::size_t count) {
  const __m256 scales = _mm256_set1_ps(scale), offsets = _mm256_set1_ps(offset);
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
    _mm256_storeu_ps(out + i, _mm256_fmadd_ps(_mm256_cvtph_ps(packed), scales, offsets));
  }
  // fma as above, so that a value does not depend on its place in the row.
  for (; i < count; ++i) out[i] = __builtin_fmaf(_cvtsh_ss(in[i]), scale, offset);
}

void narrow_half(const float* in, float scale, float offset, std::uint16_t* out,
                 std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = _cvtss_sh((in[i] - offset) / scale, _MM_FROUND_TO_NEAREST_INT);
  }
}

void unshuffle(const std::uint8_t* low, const std::uint8_t* high, std::uint16_t* out,
               std::size_t count) {
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m128i lows = _mm_loadu_si128(reinterpret_cast<const __m128i*>(low + i));
    const __m128i highs = _mm_loadu_si128(reinterpret_cast<const __m128i*>(high + i));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm_unpacklo_epi8(lows, highs));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i + 8), _mm_unpackhi_epi8(lows, highs));
  }
  for (; i < count; ++i) out[i] = static_cast<std::uint16_t>(low[i] | high[i] << 8);
}

}  // namespace lacuna::data
