// Whether probabilities mean what they say: how often voxels of probability p are tumour.
// docs/evaluation.md states the formulas. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lacuna::evaluation {

inline constexpr int kCalibrationBins = 20;

struct Calibration {
  double ece = 0;    // expected: sum over bins of |sum p - sum y| over the number of voxels
  double ace = 0;    // average: mean over bins with voxels of |mean p - mean y|
  double mce = 0;    // the largest of these
  double brier = 0;  // mean (p - y)^2
  double nll = 0;    // mean -log likelihood, p kept within [1e-7, 1 - 1e-7]
  std::int64_t voxels = 0;
};

// p in [0, 1] and y (0 or not) of each voxel; where `inside` is 0 a voxel does not count (empty:
// all count). Bins are (0, 1/M], (1/M, 2/M], ...; p = 0 is in the first. NaN without voxels.
Calibration calibrate(std::span<const float> p, std::span<const std::uint8_t> y,
                      std::span<const std::uint8_t> inside, int bins = kCalibrationBins);

}  // namespace lacuna::evaluation
