// Which way the axes of a volume point, and turning a volume to other axes: whole axes are
// exchanged and reversed, nothing is interpolated. Pure functions, thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/nifti/nifti_header.h"
#include "data/types/extent.h"

namespace lacuna::data {

// The directions to which i, j and k point, "LPS" for the axes of BraTS: towards the patient's left
// or right (L, R), posterior or anterior (P, A), superior or inferior (S, I). Oblique axes count as
// the assignment of axes to directions that fits all three best.
std::string axis_codes(const Affine& affine);

// Axis a (of i, j, k) of the turned volume is axis from[a] of the original, reversed where flip[a].
struct AxisTurn {
  std::array<std::size_t, 3> from{0, 1, 2};
  std::array<bool, 3> flip{};

  bool identity() const { return *this == AxisTurn{}; }
  AxisTurn inverse() const;
  bool operator==(const AxisTurn&) const = default;
};

// Throws ConfigError when either is no orientation.
AxisTurn axis_turn(const std::string& from, const std::string& to);

// Extents or spacings along i, j, k.
template <typename T>
std::array<T, 3> turned(const std::array<T, 3>& along, const AxisTurn& turn) {
  return {along[turn.from[0]], along[turn.from[1]], along[turn.from[2]]};
}
// Of the turned volume; `size` is that of the original along i, j, k.
Affine turned(const Affine& affine, const std::array<std::int64_t, 3>& size, const AxisTurn& turn);

// `volume`: D x H x W (data/types/axis_order.h) of `size` along i, j, k; the result has the extent
// of turned(size, turn). T: float, std::int16_t or std::uint8_t.
template <typename T>
std::vector<T> turned(std::vector<T> volume, const std::array<std::int64_t, 3>& size,
                      const AxisTurn& turn);

}  // namespace lacuna::data
