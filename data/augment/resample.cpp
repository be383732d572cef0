#include "data/augment/resample.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "data/augment/bspline.h"
#include "data/augment/huge_pages.h"
#include "data/types/tissue.h"

namespace lacuna::data {
namespace {

// Unaligned vectors of one and of two neighbouring voxels.
typedef float Voxel __attribute__((vector_size(16), aligned(4)));
typedef float VoxelPair __attribute__((vector_size(32), aligned(4)));

template <typename T>
T load(const float* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

// From the interpolated share of each tissue at a point to a tissue.
std::uint8_t tissue_at(const std::array<float, 8>& share) {
  const auto of = [&](Tissue tissue) { return share[static_cast<std::size_t>(tissue)]; };
  if (of(Tissue::kResection) >= 0.5f) return static_cast<std::uint8_t>(Tissue::kResection);
  if (of(Tissue::kEnhancing) >= 0.5f) return static_cast<std::uint8_t>(Tissue::kEnhancing);
  const float core = of(Tissue::kEnhancing) + of(Tissue::kNecrosis);
  if (core >= 0.5f) return static_cast<std::uint8_t>(Tissue::kNecrosis);
  if (core + of(Tissue::kOedema) >= 0.5f) return static_cast<std::uint8_t>(Tissue::kOedema);
  return 0;
}

}  // namespace

void ResampleSource::reset(const Extent& extent, int channels) {
  extent_ = extent;
  channels_ = channels;
  for (std::size_t axis = 0; axis < 3; ++axis) padded_[axis] = extent[axis] + 2 * kFrame;
  voxels_ = padded_[0] * padded_[1] * padded_[2];
  const std::int64_t groups = (channels + kLanes - 1) / kLanes;
  resize_on_huge_pages(image_, static_cast<std::size_t>(groups * voxels_ * kLanes));
  std::fill(image_.begin(), image_.end(), 0.0f);
  label_.assign(static_cast<std::size_t>(voxels_), 0);
}

void ResampleSource::set_rows(int first, std::int64_t d, std::int64_t h,
                              const std::array<const float*, kLanes>& rows) {
  float* __restrict to = image_.data() + (first / kLanes * voxels_ + index(d, h, 0)) * kLanes;
  const auto [a, b, c, e] = rows;
  for (std::int64_t w = 0; w < extent_[2]; ++w) {
    const Voxel voxel = {a[w], b[w], c[w], e[w]};
    std::memcpy(to + w * kLanes, &voxel, sizeof(voxel));
  }
}

void ResampleSource::set_label_row(std::int64_t d, std::int64_t h, const std::uint8_t* values) {
  std::copy(values, values + extent_[2], label_.data() + index(d, h, 0));
}

void ResampleSource::prefilter() {
  // The frame takes part with the mirrored coefficients that interpolation at the edges needs.
  const auto mirror = [](std::int64_t i, std::int64_t n) {
    if (n == 1) return std::int64_t{0};
    const std::int64_t period = 2 * n - 2;
    i = (i % period + period) % period;
    return i < n ? i : period - i;
  };
  const std::int64_t depth = extent_[0], height = extent_[1], width = extent_[2];
  const auto row_floats = static_cast<std::size_t>(width * kLanes);
  std::vector<float> packed(static_cast<std::size_t>(depth * height) * row_floats);
  for (float* group = image_.data(); group < image_.data() + image_.size();
       group += voxels_ * kLanes) {
    const auto packed_row = [&](std::int64_t d, std::int64_t h) {
      return packed.data() + static_cast<std::size_t>(d * height + h) * row_floats;
    };
    for (std::int64_t d = 0; d < depth; ++d) {
      for (std::int64_t h = 0; h < height; ++h) {
        std::memcpy(packed_row(d, h), group + index(d, h, 0) * kLanes, row_floats * sizeof(float));
      }
    }
    bspline_prefilter(packed.data(), 1, depth, height * width * kLanes);
    bspline_prefilter(packed.data(), depth, height, width * kLanes);
    bspline_prefilter(packed.data(), depth * height, width, kLanes);
    for (std::int64_t d = -kFrame; d < depth + kFrame; ++d) {
      for (std::int64_t h = -kFrame; h < height + kFrame; ++h) {
        const float* from = packed_row(mirror(d, depth), mirror(h, height));
        for (std::int64_t w = -kFrame; w < width + kFrame; ++w) {
          std::memcpy(group + index(d, h, w) * kLanes, from + mirror(w, width) * kLanes,
                      kLanes * sizeof(float));
        }
      }
    }
  }
}

// One row of the patch at a time: positions first (vector code), then the reads.
class Resampler {
 public:
  Resampler(const ResampleSource& source, const SamplingMap& map, const ResampleOptions& options,
            const Extent& patch)
      : source_(source), map_(map), options_(options), patch_(patch) {
    const auto width = static_cast<std::size_t>(patch[2]);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      moved_[axis].assign(width, 0.0f);
      fraction_[axis].resize(width);
    }
    index_.resize(width);
    inside_.resize(width);
    voxels_.resize(width * ResampleSource::kLanes);
    const auto& padded = source.padded_;
    row_step_ = padded[2];
    slice_step_ = padded[1] * padded[2];
  }

  void run(float* image, std::uint8_t* label) {
    const std::int64_t voxels = patch_[0] * patch_[1] * patch_[2];
    for (std::int64_t d = 0; d < patch_[0]; ++d) {
      for (std::int64_t h = 0; h < patch_[1]; ++h) {
        locate(d, h);
        const std::int64_t row = (d * patch_[1] + h) * patch_[2];
        for (int first = 0; first < source_.channels_; first += ResampleSource::kLanes) {
          const float* group = source_.image_.data() + first * source_.voxels_;
          read_image(group);
          for (int c = first; c < std::min<int>(first + ResampleSource::kLanes, source_.channels_);
               ++c) {
            float* to = image + c * voxels + row;
            const float* from = voxels_.data() + (c - first);
            for (std::int64_t w = 0; w < patch_[2]; ++w) to[w] = from[w * ResampleSource::kLanes];
          }
        }
        if (options_.nearest || options_.nearest_label) {
          read_nearest_label(label + row);
        } else {
          read_label(label + row);
        }
      }
    }
  }

 private:
  // Cell (flat index of its lowest corner) and place within it of each voxel of a row. Positions
  // are held within one voxel of the crop, where linear reads meet the frame of zeros.
  void locate(std::int64_t d, std::int64_t h) {
    const std::int64_t width = patch_[2];
    if (map_.field) {
      map_.field->row(d, h, {moved_[0].data(), moved_[1].data(), moved_[2].data()});
    }
    std::fill(index_.begin(), index_.end(), static_cast<std::int32_t>(source_.index(0, 0, 0)));
    std::fill(inside_.begin(), inside_.end(), 1);
    const std::array<std::int64_t, 3> steps = {slice_step_, row_step_, 1};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const auto& m = map_.matrix[axis];
      const auto start = static_cast<float>(m[0] * static_cast<double>(d) +
                                            m[1] * static_cast<double>(h) + map_.offset[axis]);
      const auto m0 = static_cast<float>(m[0]), m1 = static_cast<float>(m[1]),
                 m2 = static_cast<float>(m[2]);
      const auto last = static_cast<float>(source_.extent_[axis] - 1);
      const auto step = static_cast<std::int32_t>(steps[axis]);
      const float *moved_d = moved_[0].data(), *moved_h = moved_[1].data(),
                  *moved_w = moved_[2].data();
      float* fraction = fraction_[axis].data();
      std::int32_t* cells = index_.data();
      std::uint8_t* inside = inside_.data();
      for (std::int64_t w = 0; w < width; ++w) {
        const float x = start + m0 * moved_d[w] + m1 * moved_h[w] +
                        m2 * (static_cast<float>(static_cast<std::int32_t>(w)) + moved_w[w]);
        // A rounding error on the last sample must not make it outside.
        inside[w] &= static_cast<std::uint8_t>((x > -1e-4f) & (x < last + 1e-4f));
        const float above = x < -1.0f ? -1.0f : x;
        const float held = above > last + 1.0f ? last + 1.0f : above;
        const auto cell = static_cast<std::int32_t>(held + 1.0f) - 1;  // floor: held + 1 >= 0
        fraction[w] = held - static_cast<float>(cell);
        cells[w] += cell * step;
      }
    }
  }

  void read_image(const float* group) {
    if (options_.nearest) {
      read_nearest(group);
    } else {
      options_.cubic ? read_cubic(group) : read_linear(group);
    }
  }

  // From the cell of voxel w of the row to its nearest voxel, as scipy rounds: halves upwards.
  std::int64_t nearest_step(std::size_t w) const {
    return (fraction_[0][w] >= 0.5f ? slice_step_ : 0) + (fraction_[1][w] >= 0.5f ? row_step_ : 0) +
           (fraction_[2][w] >= 0.5f ? 1 : 0);
  }

  void read_nearest(const float* group) {
    const std::int64_t kLanes = ResampleSource::kLanes;
    const Voxel outside = {options_.fill, options_.fill, options_.fill, options_.fill};
    for (std::int64_t w = 0; w < patch_[2]; ++w) {
      const auto i = static_cast<std::size_t>(w);
      const Voxel value =
          inside_[i] != 0 ? load<Voxel>(group + (index_[i] + nearest_step(i)) * kLanes) : outside;
      std::memcpy(voxels_.data() + w * kLanes, &value, sizeof(value));
    }
  }

  void read_linear(const float* group) {
    const std::int64_t kLanes = ResampleSource::kLanes;
    // Locals, or the compiler fetches them anew after each store of a voxel.
    const std::int64_t row_step = row_step_ * kLanes, slice_step = slice_step_ * kLanes;
    const float *fraction_d = fraction_[0].data(), *fraction_h = fraction_[1].data(),
                *fraction_w = fraction_[2].data();
    const std::int32_t* index = index_.data();
    float* __restrict out = voxels_.data();
    for (std::int64_t w = 0; w < patch_[2]; ++w) {
      const float* cell = group + std::int64_t{index[w]} * kLanes;
      const float td = fraction_d[w], th = fraction_h[w], tw = fraction_w[w];
      const auto a = load<VoxelPair>(cell);
      const auto b = load<VoxelPair>(cell + row_step);
      const auto c = load<VoxelPair>(cell + slice_step);
      const auto e = load<VoxelPair>(cell + slice_step + row_step);
      const VoxelPair near = a + th * (b - a), far = c + th * (e - c);
      const VoxelPair both = near + td * (far - near);
      const Voxel left = __builtin_shufflevector(both, both, 0, 1, 2, 3);
      const Voxel right = __builtin_shufflevector(both, both, 4, 5, 6, 7);
      const Voxel value = left + tw * (right - left);
      std::memcpy(out + w * kLanes, &value, sizeof(value));
    }
  }

  void read_cubic(const float* group) {
    const std::int64_t kLanes = ResampleSource::kLanes;
    for (std::int64_t w = 0; w < patch_[2]; ++w) {
      const auto i = static_cast<std::size_t>(w);
      Voxel value = {};
      if (inside_[i] != 0) {
        const auto wd = bspline_weights(fraction_[0][i]), wh = bspline_weights(fraction_[1][i]),
                   ww = bspline_weights(fraction_[2][i]);
        // Cells start at -1 at the least, so the frame of two holds all 64 coefficients but for
        // positions beyond the last sample, which `inside` excludes up to its rounding error.
        const float* corner =
            group + (std::int64_t{index_[i]} - slice_step_ - row_step_ - 1) * kLanes;
        for (std::size_t z = 0; z < 4; ++z) {
          for (std::size_t y = 0; y < 4; ++y) {
            const float* row = corner + (static_cast<std::int64_t>(z) * slice_step_ +
                                         static_cast<std::int64_t>(y) * row_step_) *
                                            kLanes;
            const float weight = wd[z] * wh[y];
            for (std::size_t x = 0; x < 4; ++x) {
              value += weight * ww[x] * load<Voxel>(row + x * static_cast<std::size_t>(kLanes));
            }
          }
        }
      }
      std::memcpy(voxels_.data() + w * kLanes, &value, sizeof(value));
    }
  }

  void read_label(std::uint8_t* out) {
    const std::uint8_t* labels = source_.label_.data();
    const std::int64_t row_step = row_step_, slice_step = slice_step_;
    const auto pair_at = [](const std::uint8_t* from) {
      std::uint16_t pair = 0;
      std::memcpy(&pair, from, sizeof(pair));
      return pair;
    };
    for (std::size_t i = 0; i < index_.size(); ++i) {
      const std::uint8_t* cell = labels + index_[i];
      const std::array<std::uint16_t, 4> pairs = {pair_at(cell), pair_at(cell + row_step),
                                                  pair_at(cell + slice_step),
                                                  pair_at(cell + slice_step + row_step)};
      const auto alike = static_cast<std::uint16_t>(cell[0] * 0x0101);
      if (pairs[0] == alike && pairs[1] == alike && pairs[2] == alike && pairs[3] == alike) {
        out[i] = cell[0];  // nearly everywhere
        continue;
      }
      const float td = fraction_[0][i], th = fraction_[1][i], tw = fraction_[2][i];
      std::array<float, 8> share{};
      for (std::size_t k = 0; k < 4; ++k) {
        const float weight = ((k & 2) != 0 ? td : 1 - td) * ((k & 1) != 0 ? th : 1 - th);
        share[pairs[k] & 7] += weight * (1 - tw);  // little-endian: the first voxel is low
        share[pairs[k] >> 8 & 7] += weight * tw;
      }
      out[i] = tissue_at(share);
    }
  }

  void read_nearest_label(std::uint8_t* out) {
    const std::uint8_t* labels = source_.label_.data();
    for (std::int64_t w = 0; w < patch_[2]; ++w) {
      const auto i = static_cast<std::size_t>(w);
      out[w] = options_.nearest && inside_[i] == 0 ? std::uint8_t{0}
                                                   : labels[index_[i] + nearest_step(i)];
    }
  }

  const ResampleSource& source_;
  const SamplingMap& map_;
  ResampleOptions options_;
  Extent patch_;
  std::int64_t row_step_ = 0, slice_step_ = 0;
  std::array<std::vector<float>, 3> moved_, fraction_;
  std::vector<std::int32_t> index_;
  std::vector<std::uint8_t> inside_;
  std::vector<float> voxels_;
};

void resample(const ResampleSource& source, const SamplingMap& map, const ResampleOptions& options,
              const Extent& patch, float* image, std::uint8_t* label) {
  Resampler(source, map, options, patch).run(image, label);
}

}  // namespace lacuna::data
