#include "evaluation/prediction/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace lacuna::evaluation {

Calibration calibrate(std::span<const float> p, std::span<const std::uint8_t> y,
                      std::span<const std::uint8_t> inside, int bins) {
  if (p.size() != y.size() || (!inside.empty() && inside.size() != p.size())) {
    throw_error<Error>("calibration: {} probabilities, {} labels, {} voxels of the brain", p.size(),
                       y.size(), inside.size());
  }
  struct Bin {
    double p = 0, y = 0;
    std::int64_t count = 0;
  };
  std::vector<Bin> table(static_cast<std::size_t>(bins));
  Calibration result;
  double squares = 0, loss = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (!inside.empty() && inside[i] == 0) continue;
    const double probability = p[i], truth = y[i] != 0 ? 1 : 0;
    const auto place = static_cast<std::int64_t>(std::ceil(probability * bins)) - 1;
    Bin& bin = table[static_cast<std::size_t>(std::clamp<std::int64_t>(place, 0, bins - 1))];
    bin.p += probability;
    bin.y += truth;
    ++bin.count;
    squares += (probability - truth) * (probability - truth);
    const double kept = std::clamp(probability, 1e-7, 1 - 1e-7);
    loss -= std::log(truth > 0 ? kept : 1 - kept);
    ++result.voxels;
  }
  const auto voxels = static_cast<double>(result.voxels);
  int filled = 0;
  for (const Bin& bin : table) {
    if (bin.count == 0) continue;
    ++filled;
    const double gap = std::abs(bin.p - bin.y);
    result.ece += gap / voxels;
    result.ace += gap / static_cast<double>(bin.count);
    result.mce = std::max(result.mce, gap / static_cast<double>(bin.count));
  }
  result.ace /= filled;
  result.brier = squares / voxels;
  result.nll = loss / voxels;
  if (result.voxels == 0) {
    constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
    result.ece = result.ace = result.mce = result.brier = result.nll = kUndefined;
  }
  return result;
}

}  // namespace lacuna::evaluation
