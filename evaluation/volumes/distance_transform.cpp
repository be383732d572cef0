#include "evaluation/volumes/distance_transform.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/process/parallel.h"

namespace lacuna::evaluation {
namespace {

// Squares of voxel distances up to here are exact in float (2^24).
constexpr std::int64_t kFloatExactExtent = 2048;
// Below this many voxels, starting a thread costs more than it saves.
constexpr std::size_t kVoxelsPerThread = 1 << 16;

int useful_threads(int allowed, std::size_t voxels) {
  return static_cast<int>(
      std::min(static_cast<std::size_t>(allowed), voxels / kVoxelsPerThread + 1));
}

// 32 bytes of neighbouring columns: one register.
template <typename T>
struct Lanes {
  typedef T Vector __attribute__((vector_size(32)));
  typedef T Unaligned __attribute__((vector_size(32), aligned(sizeof(T)), may_alias));
  static constexpr std::int64_t kSize = 32 / static_cast<std::int64_t>(sizeof(T));

  static Vector load(const T* from) { return *reinterpret_cast<const Unaligned*>(from); }
  static void store(Vector value, T* to) { *reinterpret_cast<Unaligned*>(to) = value; }
  static Vector smaller(Vector a, Vector b) { return a < b ? a : b; }
  static bool any_above(Vector value, T limit) {
    const auto above = value > limit;
    std::uint64_t words[4];
    std::memcpy(words, &above, sizeof words);
    return (words[0] | words[1] | words[2] | words[3]) != 0;
  }
};

// Calls visit(w) for each set bit of a row, ascending.
template <typename Visit>
void for_each_bit(std::span<const std::uint64_t> row, const Visit& visit) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    for (std::uint64_t word = row[i]; word != 0; word &= word - 1) {
      visit(static_cast<std::int64_t>(i) * 64 + std::countr_zero(word));
    }
  }
}

// Pass along W of one row: squared distance to the nearest seed, infinity without one. rising[k]
// and falling[width - k] hold k^2 * step, so that the row is copied together from seed to seed.
template <typename T>
void scan_row(std::span<const std::uint64_t> seeds, std::int64_t first_w, std::int64_t width,
              const std::vector<T>& rising, const std::vector<T>& falling, T* out) {
  std::int64_t previous = -1;
  for_each_bit(seeds, [&](std::int64_t absolute) {
    const std::int64_t w = absolute - first_w;
    const std::int64_t middle = previous < 0 ? 0 : (previous + w) / 2 + 1;
    if (previous >= 0) std::copy_n(rising.begin(), middle - previous, out + previous);
    std::copy_n(falling.begin() + (width - (w - middle)), w - middle, out + middle);
    previous = w;
  });
  if (previous < 0) {
    std::fill_n(out, width, std::numeric_limits<T>::infinity());
  } else {
    std::copy_n(rising.begin(), width - previous, out + previous);
  }
}

// Pass along H of one plane: out(h, w) = min over h' of in(h', w) + (h - h')^2 * step. A row of
// `in` is finite everywhere or nowhere, so the search ends at the nearest finite row at the latest.
template <typename T>
void sweep_plane(const T* in, std::int64_t height, std::int64_t stride, T step, T* out) {
  using L = Lanes<T>;
  constexpr std::int64_t kChecks = 4;  // candidates per side between two tests for the end
  // Two vectors together: enough independent minima to hide their latency.
  for (std::int64_t w = 0; w < stride; w += 2 * L::kSize) {
    for (std::int64_t h = 0; h < height; ++h) {
      const T* here = in + h * stride + w;
      auto best_a = L::load(here), best_b = L::load(here + L::kSize);
      const auto offer = [&](const T* row, T rise) {
        best_a = L::smaller(L::load(row) + rise, best_a);
        best_b = L::smaller(L::load(row + L::kSize) + rise, best_b);
      };
      const std::int64_t reach = std::max(h, height - 1 - h);
      for (std::int64_t k = 1; k <= reach; ++k) {
        const T rise = static_cast<T>(k * k) * step;
        if (k % kChecks == 1 && !L::any_above(best_a, rise) && !L::any_above(best_b, rise)) break;
        if (k <= h) offer(here - k * stride, rise);
        if (h + k < height) offer(here + k * stride, rise);
      }
      L::store(best_a, out + h * stride + w);
      L::store(best_b, out + h * stride + w + L::kSize);
    }
  }
}

}  // namespace

DistanceTransform::DistanceTransform(const Mask& seeds, const Box& box,
                                     const std::array<double, 3>& spacing_mm, int threads)
    : box_(box) {
  for (std::size_t axis = 0; axis < 3; ++axis) step_[axis] = spacing_mm[axis] * spacing_mm[axis];
  const bool isotropic = step_[0] == step_[1] && step_[1] == step_[2];
  if (isotropic && *std::max_element(box.extent.begin(), box.extent.end()) <= kFloatExactExtent) {
    unit_ = step_[0];
    step_ = {1, 1, 1};
    tabulate(seeds, table_.emplace<std::vector<float>>(), threads);
  } else {
    tabulate(seeds, table_.emplace<std::vector<double>>(), threads);
  }
}

template <typename T>
void DistanceTransform::tabulate(const Mask& seeds, std::vector<T>& table, int threads) {
  const auto [depth, height, width] = box_.extent;
  constexpr std::int64_t kBlock = 2 * Lanes<T>::kSize;
  stride_ = (width + kBlock - 1) / kBlock * kBlock;
  table.resize(static_cast<std::size_t>(depth * height * stride_));
  std::vector<T> rising(static_cast<std::size_t>(width + 1)), falling(rising.size());
  for (std::int64_t k = 0; k <= width; ++k) {
    rising[static_cast<std::size_t>(k)] = static_cast<T>(k * k) * static_cast<T>(step_[2]);
    falling[static_cast<std::size_t>(width - k)] = rising[static_cast<std::size_t>(k)];
  }
  const auto make_plane = [&](std::int64_t d) {
    T* plane = table.data() + d * height * stride_;
    // Zeros in the padding beyond the row's end never prolong the search along H.
    std::vector<T> rows(static_cast<std::size_t>(height * stride_));
    bool seeded = false;
    for (std::int64_t h = 0; h < height; ++h) {
      T* row = rows.data() + h * stride_;
      scan_row(seeds.row(box_.corner[0] + d, box_.corner[1] + h), box_.corner[2], width, rising,
               falling, row);
      seeded |= *row != std::numeric_limits<T>::infinity();
    }
    if (seeded) {
      sweep_plane(rows.data(), height, stride_, static_cast<T>(step_[1]), plane);
    } else {  // nothing to find, and the search would go to the end of every column
      std::copy(rows.begin(), rows.end(), plane);
    }
  };
  parallel_for(useful_threads(threads, table.size()), depth, make_plane);
}

template <typename T>
void DistanceTransform::query_plane(const Mask& voxels, const std::vector<T>& table, std::int64_t d,
                                    std::vector<double>& out) const {
  const auto [depth, height, width] = box_.extent;
  const std::int64_t plane = height * stride_;
  const T step = static_cast<T>(step_[0]);
  for (std::int64_t h = 0; h < height; ++h) {
    for_each_bit(voxels.row(box_.corner[0] + d, box_.corner[1] + h), [&](std::int64_t w) {
      const T* column = table.data() + d * plane + h * stride_ + (w - box_.corner[2]);
      T best = *column;
      const std::int64_t reach = std::max(d, depth - 1 - d);
      for (std::int64_t k = 1; k <= reach; ++k) {
        const T rise = static_cast<T>(k * k) * step;
        if (rise >= best) break;
        if (k <= d) best = std::min(best, column[-k * plane] + rise);
        if (d + k < depth) best = std::min(best, column[k * plane] + rise);
      }
      out.push_back(static_cast<double>(best) * unit_);
    });
  }
}

std::vector<double> DistanceTransform::squared_mm_at(const Mask& voxels, int threads) const {
  const std::int64_t depth = box_.extent[0];
  std::vector<std::vector<double>> planes(static_cast<std::size_t>(depth));
  std::visit(
      [&](const auto& table) {
        parallel_for(useful_threads(threads, table.size()), depth, [&](std::int64_t d) {
          query_plane(voxels, table, d, planes[static_cast<std::size_t>(d)]);
        });
      },
      table_);
  std::vector<double> all;
  for (const auto& plane : planes) all.insert(all.end(), plane.begin(), plane.end());
  return all;
}

}  // namespace lacuna::evaluation
