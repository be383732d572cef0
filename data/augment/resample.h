// Reads a crop at arbitrary positions: the one interpolation that crop scaling, elastic
// deformation, rotation and zoom share.
//
// Image: linear (beyond the crop the value falls to 0 over one voxel) or cubic B-spline (0 outside,
// as scipy.ndimage order 3, mode constant). Label: per region, linear on its indicator and >= 1/2,
// regions nested ET in TC in WT, and RC beside them; or nearest. Or both by the nearest voxel.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "data/augment/elastic_field.h"
#include "data/types/extent.h"

namespace lacuna::data {

// The crop, laid out for reading: the channels of a voxel side by side in groups of four, so that
// one vector load fetches a voxel, with a frame of `kFrame` voxels of 0.
class ResampleSource {
 public:
  static constexpr std::int64_t kFrame = 2;
  static constexpr std::int64_t kLanes = 4;

  // All 0. Keeps its memory from call to call.
  void reset(const Extent& extent, int channels);

  // Writes extent[2] voxels of the row (d, h) for a group of channels, `first` a multiple of
  // kLanes; lanes beyond the last channel are ignored but must be readable.
  void set_rows(int first, std::int64_t d, std::int64_t h,
                const std::array<const float*, kLanes>& rows);
  void set_label_row(std::int64_t d, std::int64_t h, const std::uint8_t* values);
  // Turns samples into spline coefficients; call once, after all rows, before cubic sampling.
  void prefilter();

  const Extent& extent() const { return extent_; }
  int channels() const { return channels_; }

 private:
  friend class Resampler;
  std::int64_t index(std::int64_t d, std::int64_t h, std::int64_t w) const {
    return ((d + kFrame) * padded_[1] + h + kFrame) * padded_[2] + w + kFrame;
  }

  Extent extent_{}, padded_{};
  int channels_ = 0;
  std::int64_t voxels_ = 0;          // with the frame
  std::vector<float> image_;         // groups x D x H x W x kLanes
  std::vector<std::uint8_t> label_;  // D x H x W
};

// Where the voxel x of the patch is read: matrix * (x + displacement(x)) + offset, in voxels of the
// source. `field` may be null.
struct SamplingMap {
  std::array<std::array<double, 3>, 3> matrix{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  std::array<double, 3> offset{};
  const ElasticField* field = nullptr;
};

struct ResampleOptions {
  bool cubic = false;
  bool nearest_label = false;
  // Image and label by the nearest voxel; positions outside the crop give `fill` and background
  // (scipy.ndimage order 0, mode constant).
  bool nearest = false;
  float fill = 0;
};

// Fills image (channels x patch) and label (patch).
void resample(const ResampleSource& source, const SamplingMap& map, const ResampleOptions& options,
              const Extent& patch, float* image, std::uint8_t* label);

}  // namespace lacuna::data
