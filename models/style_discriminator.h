// The discriminator of whole style maps that SMU-Net and MST-KDNet publish: three convolutions that
// halve every extent, and one over what is left, so one logit per sample. 3,149,249 parameters for
// 128 channels of 20x24x16 at width 1. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>

#include "models/conv_discriminator.h"

namespace lacuna::models {

class StyleDiscriminator : public ConvDiscriminator {
 public:
  // extent: of the input. forward() gives N x 1 x 1 x 1 x 1.
  StyleDiscriminator(std::int64_t channels, const std::array<std::int64_t, 3>& extent,
                     double width);
};

}  // namespace lacuna::models
