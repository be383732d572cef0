#include "models/style_discriminator.h"

#include "models/width.h"

namespace lacuna::models {
namespace {

std::vector<ConvDiscriminator::Layer> layers_for(std::array<std::int64_t, 3> extent, double width) {
  auto layers = ConvDiscriminator::halving(
      {scaled(64, width), scaled(128, width), scaled(256, width)}, extent);
  layers.push_back({1, extent});
  return layers;
}

}  // namespace

StyleDiscriminator::StyleDiscriminator(std::int64_t channels,
                                       const std::array<std::int64_t, 3>& extent, double width)
    : ConvDiscriminator(channels, layers_for(extent, width)) {}

}  // namespace lacuna::models
