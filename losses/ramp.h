// Weights that grow with training. Pure functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace lacuna::losses {

// peak * exp(-5 (1 - min(e, length) / length)^2): the ramp-up of temporal ensembling (Laine and
// Aila 2017, section 2.1), from 0.0067 peak at epoch 0 to peak at epoch `length`.
inline double gaussian_ramp(std::int64_t epoch, std::int64_t length, double peak) {
  const double left =
      1 - static_cast<double>(std::min(epoch, length)) / static_cast<double>(length);
  return peak * std::exp(-5 * left * left);
}

}  // namespace lacuna::losses
