#include "data/sampling/normalise.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "base/error.h"
#include "data/cache/voxel_convert.h"

namespace lacuna::data {
namespace {

IntensityMap make_map(double low, double high, double shift, double scale, double background) {
  const double factor = scale > 0 ? 1 / scale : 0;
  return {static_cast<float>(low), static_cast<float>(high), static_cast<float>(shift),
          static_cast<float>(factor), static_cast<float>(background)};
}

inline float normalised(const IntensityMap& map, float raw) {
  const float above = raw < map.low ? map.low : raw;
  const float clamped = above > map.high ? map.high : above;
  const float value = (clamped - map.shift) * map.factor;
  return raw == map.background ? 0.0f : value;
}

IntensityMap mapped(Normalisation normalisation, const IntensityStatistics& s) {
  constexpr double kNoLimit = std::numeric_limits<float>::max();
  switch (normalisation) {
    case Normalisation::kCappedZScore:
      return make_map(-kNoLimit, s.cap, s.capped_mean, s.capped_deviation, s.background);
    case Normalisation::kZScore:
      return make_map(-kNoLimit, kNoLimit, s.mean, s.deviation, s.background);
    case Normalisation::kMinMax:
      return make_map(-kNoLimit, kNoLimit, s.minimum, s.maximum - s.minimum, s.background);
    case Normalisation::kPercentile:
      return make_map(s.percentile_1, s.percentile_99, s.percentile_1,
                      s.percentile_99 - s.percentile_1, s.background);
    case Normalisation::kTrimmedZScore:
      return make_map(-kNoLimit, kNoLimit, s.trimmed_mean, s.trimmed_deviation, s.background);
  }
  return {};
}

}  // namespace

IntensityMap intensity_map(Normalisation normalisation, const IntensityStatistics& statistics,
                           Background background) {
  IntensityMap map = mapped(normalisation, statistics);
  // Equal to no voxel.
  if (background == Background::kNormalised)
    map.background = std::numeric_limits<float>::quiet_NaN();
  return map;
}

IntensityMap intensity_map(const DataRecipe& recipe, const CaseFile& file, int modality) {
  const bool trimmed = recipe.normalisation == Normalisation::kTrimmedZScore;
  const IntensityStatistics& s = file.statistics(modality);
  // The cap is the index of a bin, which is an intensity only where bins are about 1 wide and hold
  // enough voxels. Files of version 1 do not know the median and go on as they were.
  if (recipe.normalisation == Normalisation::kCappedZScore && file.header().version > 1 &&
      contains(file.info().available, modality) && s.cap < s.median) {
    if (recipe.published_cap) {
      throw_error<DataError>(
          "case {}, {}: intensities are clipped at {}, the index of a histogram bin, but half of "
          "them and more lie above (1st to 99th percentile {:.4g} to {:.4g}). The published "
          "normalisation expects raw intensities of a scanner, not images scaled to [0, 1]: "
          "multiply them by 1000 and ingest again, or train without method_options.official.",
          file.info().id, file.header().modalities[static_cast<std::size_t>(modality)], s.cap,
          s.percentile_1, s.percentile_99);
    }
    if (s.cap_edge < s.median) {  // too few voxels for a histogram: none is clipped
      return intensity_map(Normalisation::kZScore, s, recipe.background);
    }
    IntensityStatistics edge = s;
    edge.cap = s.cap_edge;
    edge.capped_mean = s.edge_mean;
    edge.capped_deviation = s.edge_deviation;
    return intensity_map(recipe.normalisation, edge, recipe.background);
  }
  return intensity_map(recipe.normalisation,
                       trimmed ? file.trimmed_statistics(modality) : file.statistics(modality),
                       recipe.background);
}

void normalise_row(const IntensityMap& map, const StoredRow& row, float* __restrict out,
                   bool reversed) {
  const IntensityMap local = map;  // lets the compiler see that `out` does not change it
  const auto count = static_cast<std::size_t>(row.count);
  if (row.halves != nullptr) {
    // In pieces that stay in the first-level cache between the two conversions.
    constexpr std::size_t kPiece = 256;
    float raw[kPiece];
    for (std::size_t begin = 0; begin < count; begin += kPiece) {
      const std::size_t size = std::min(kPiece, count - begin);
      widen_half(row.halves + begin, row.scale, row.offset, raw, size);
      float* to = reversed ? out + count - begin - size : out + begin;
      for (std::size_t i = 0; i < size; ++i) {
        to[reversed ? size - 1 - i : i] = normalised(local, raw[i]);
      }
    }
    return;
  }
  const std::int16_t* __restrict in = row.integers;
  if (reversed) {
    for (std::size_t i = 0; i < count; ++i) out[count - 1 - i] = normalised(local, in[i]);
  } else {
    for (std::size_t i = 0; i < count; ++i) out[i] = normalised(local, in[i]);
  }
}

}  // namespace lacuna::data
