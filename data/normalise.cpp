#include "data/normalise.h"

#include <limits>

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

}  // namespace

IntensityMap intensity_map(Normalisation normalisation, const IntensityStatistics& statistics) {
  constexpr double kNoLimit = std::numeric_limits<float>::max();
  const IntensityStatistics& s = statistics;
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
  }
  return {};
}

void normalise_row(const IntensityMap& map, const float* __restrict in, float* __restrict out,
                   std::size_t count, bool reversed) {
  const IntensityMap local = map;  // lets the compiler see that `out` does not change it
  if (reversed) {
    for (std::size_t i = 0; i < count; ++i) out[count - 1 - i] = normalised(local, in[i]);
  } else {
    for (std::size_t i = 0; i < count; ++i) out[i] = normalised(local, in[i]);
  }
}

}  // namespace lacuna::data
