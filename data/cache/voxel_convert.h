// Inner loops between stored voxels and floats, eight or sixteen at a time. They decide how fast a
// patch is read. Pure functions; no alignment needed. Need AVX2 and F16C: the oldest CPU that the
// build supports (LACUNA_ARCH, x86-64-v3) has both.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lacuna::data {

void widen(const std::int16_t* in, float* out, std::size_t count);

// out = half(in) * scale + offset
void widen_half(const std::uint16_t* in, float scale, float offset, float* out, std::size_t count);

// out = half((in - offset) / scale), round to nearest even
void narrow_half(const float* in, float scale, float offset, std::uint16_t* out, std::size_t count);

// out[i] = low[i] | high[i] << 8: undoes HDF5's byte shuffle of two-byte elements.
void unshuffle(const std::uint8_t* low, const std::uint8_t* high, std::uint16_t* out,
               std::size_t count);

}  // namespace lacuna::data
