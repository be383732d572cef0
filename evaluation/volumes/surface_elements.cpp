#include "evaluation/volumes/surface_elements.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

#include "data/types/axis_order.h"

namespace lacuna::evaluation {
namespace {

using Vector = std::array<double, 3>;  // along i, j, k
using Corners = std::vector<int>;      // 4a + 2b + c each

int bit_of(int corner, std::size_t axis) { return corner >> (2 - static_cast<int>(axis)) & 1; }

// The sign vector of a corner: +-1 along each axis.
Vector direction(int corner) {
  Vector d;
  for (std::size_t axis = 0; axis < 3; ++axis) d[axis] = 2 * bit_of(corner, axis) - 1;
  return d;
}

bool are_neighbours(int a, int b) { return std::popcount(static_cast<unsigned>(a ^ b)) == 1; }
std::size_t axis_between(int a, int b) {
  return static_cast<std::size_t>(2 - std::countr_zero(static_cast<unsigned>(a ^ b)));
}

Vector times(const Vector& v, double factor) {
  return {v[0] * factor, v[1] * factor, v[2] * factor};
}

std::vector<int> neighbours_in(const Corners& part, int corner) {
  std::vector<int> found;
  for (const int other : part) {
    if (are_neighbours(corner, other)) found.push_back(other);
  }
  return found;
}

// Of the 4 + 4 patterns these are cut off on the outer side, to agree with the published table.
constexpr std::array kOutsideCut = {30, 54, 57, 86, 89, 120, 147, 149, 154, 156, 180, 210};
// The pole of a path of three axes is the first of its two middle corners, but in these the second.
constexpr std::array kSecondPole = {27, 29, 53, 139, 141, 163, 172, 177, 184, 197, 209, 216};

template <std::size_t n>
bool holds(const std::array<int, n>& codes, int code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// Two ends, two middle corners, all three axes.
std::vector<Vector> path_vectors(const Corners& part, int code) {
  std::vector<int> middle;
  for (const int corner : part) {
    if (neighbours_in(part, corner).size() == 2) middle.push_back(corner);
  }
  std::sort(middle.begin(), middle.end());
  const Vector d = direction(middle[holds(kSecondPole, code) ? 1 : 0]);
  const std::size_t between = axis_between(middle[0], middle[1]);
  std::vector<Vector> vectors = {times(d, 3.0 / 8), times(d, 1.0 / 8)};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (axis == between) continue;
    Vector v{};
    v[axis] = d[axis] / 4;
    v[between] = -d[between] / 4;
    vectors.push_back(v);
  }
  return vectors;
}

// The area vectors, up to sign, of the sheet that cuts off a connected part of at most 4 corners.
std::vector<Vector> sheet(const Corners& part, int code) {
  const Vector first = direction(part[0]);
  if (part.size() == 1) return {times(first, 1.0 / 8)};
  if (part.size() == 2) {
    const Vector other = direction(part[1]);
    const Vector v = {(first[0] + other[0]) / 8, (first[1] + other[1]) / 8,
                      (first[2] + other[2]) / 8};
    return {v, v};
  }
  int most = 0;  // the corner with the most neighbours within the part
  std::size_t degree = 0;
  for (const int corner : part) {
    const std::size_t here = neighbours_in(part, corner).size();
    if (here > degree) {
      degree = here;
      most = corner;
    }
  }
  const Vector d = direction(most);
  if (part.size() == 4 && degree == 3) {
    return {times(d, 1.0 / 8), times(d, 1.0 / 8), times(d, 1.0 / 4), times(d, 1.0 / 4)};
  }
  int differ = 0;  // axes along which the part extends
  for (const int corner : part) differ |= corner ^ part[0];
  if (std::popcount(static_cast<unsigned>(differ)) == 3) return path_vectors(part, code);
  Vector normal{};
  for (std::size_t axis = 0; axis < 3; ++axis) normal[axis] = bit_of(differ, axis) ? 0 : 0.5;
  if (part.size() == 4) return {normal, normal};          // a face
  return {normal, times(d, 1.0 / 4), times(d, 1.0 / 8)};  // an L with its bend at `most`
}

// The corners to cut off for a code, in connected parts.
std::vector<Corners> parts_of(int code) {
  Corners inside, outside;
  for (int corner = 0; corner < 8; ++corner) {
    (code >> (7 - corner) & 1 ? inside : outside).push_back(corner);
  }
  const bool even = inside.size() == outside.size();
  const bool cut_outside = even ? holds(kOutsideCut, code) : outside.size() < inside.size();
  Corners left = cut_outside ? outside : inside;
  std::vector<Corners> parts;
  while (!left.empty()) {
    Corners part = {left.front()};
    left.erase(left.begin());
    for (std::size_t i = 0; i < part.size(); ++i) {
      for (std::size_t j = 0; j < left.size();) {
        if (are_neighbours(part[i], left[j])) {
          part.push_back(left[j]);
          left.erase(left.begin() + static_cast<std::ptrdiff_t>(j));
        } else {
          ++j;
        }
      }
    }
    parts.push_back(part);
  }
  return parts;
}

// The voxel rows below and above corner row (d, h): [0] and [1] lower d, [0] and [2] lower h.
struct RowsAround {
  RowsAround(const Mask& mask, const std::vector<std::uint64_t>& outside, std::int64_t d,
             std::int64_t h) {
    for (std::int64_t a = 0; a < 2; ++a) {
      for (std::int64_t b = 0; b < 2; ++b) {
        const std::int64_t dd = d - 1 + a, hh = h - 1 + b;
        const bool there = dd >= 0 && dd < mask.extent()[0] && hh >= 0 && hh < mask.extent()[1];
        row[static_cast<std::size_t>(2 * a + b)] =
            there ? mask.row(dd, hh) : std::span<const std::uint64_t>(outside);
      }
    }
  }
  std::array<std::span<const std::uint64_t>, 4> row;  // 2 * (side along D) + side along H
};

}  // namespace

ElementAreas element_areas(const std::array<double, 3>& spacing_mm) {
  const auto [i, j, k] = data::to_file_order(spacing_mm);
  ElementAreas areas{};
  for (int code = 1; code < 255; ++code) {
    for (const Corners& part : parts_of(code)) {
      for (const Vector& v : sheet(part, code)) {
        const double x = v[0] * j * k, y = v[1] * i * k, z = v[2] * i * j;
        areas[static_cast<std::size_t>(code)] += std::sqrt(x * x + y * y + z * z);
      }
    }
  }
  return areas;
}

Mask surface_elements(const Mask& mask) {
  const Extent extent = {mask.extent()[0] + 1, mask.extent()[1] + 1, mask.extent()[2] + 1};
  Mask elements(extent);
  const auto words = static_cast<std::size_t>(mask.words_per_row());
  const auto corner_words = static_cast<std::size_t>(elements.words_per_row());
  const std::vector<std::uint64_t> outside(words);
  for (std::int64_t d = 0; d < extent[0]; ++d) {
    for (std::int64_t h = 0; h < extent[1]; ++h) {
      const RowsAround around(mask, outside, d, h);
      const auto out = elements.row(d, h);
      std::uint64_t carried_any = 0, carried_all = 0;
      for (std::size_t i = 0; i < corner_words; ++i) {
        std::uint64_t any = 0, all = ~std::uint64_t{0};
        for (const auto& row : around.row) {
          const std::uint64_t word = i < words ? row[i] : 0;
          any |= word;
          all &= word;
        }
        // Corner w has voxels w - 1 and w of each row.
        const std::uint64_t some = any | (any << 1 | carried_any);
        const std::uint64_t every = all & (all << 1 | carried_all);
        carried_any = any >> 63;
        carried_all = all >> 63;
        out[i] = some & ~every;
      }
    }
  }
  return elements;
}

std::vector<std::uint8_t> element_codes(const Mask& mask, const Mask& elements) {
  const Extent& extent = elements.extent();
  const auto words = static_cast<std::size_t>(mask.words_per_row());
  const std::vector<std::uint64_t> outside(words);
  std::vector<std::uint8_t> codes;
  for (std::int64_t d = 0; d < extent[0]; ++d) {
    for (std::int64_t h = 0; h < extent[1]; ++h) {
      const auto row = elements.row(d, h);
      const RowsAround around(mask, outside, d, h);
      for (std::size_t i = 0; i < row.size(); ++i) {
        for (std::uint64_t word = row[i]; word != 0; word &= word - 1) {
          const auto w = static_cast<std::int64_t>(i) * 64 + std::countr_zero(word);
          unsigned code = 0;
          for (unsigned side = 0; side < 4; ++side) {
            const auto& voxels = around.row[side];
            const auto voxel = [&](std::int64_t x) {
              if (x < 0 || x >= mask.extent()[2]) return 0u;
              return static_cast<unsigned>(voxels[static_cast<std::size_t>(x / 64)] >> (x % 64) &
                                           1u);
            };
            // i runs along H, j along W, k along D (data/types/axis_order.h).
            const unsigned a = side & 1u, c = side >> 1;
            code |= voxel(w - 1) << (7 - (4 * a + c)) | voxel(w) << (7 - (4 * a + 2 + c));
          }
          codes.push_back(static_cast<std::uint8_t>(code));
        }
      }
    }
  }
  return codes;
}

}  // namespace lacuna::evaluation
