#include "models/conv_discriminator.h"

#include <memory>
#include <string>

#include <ATen/ATen.h>
#include <torch/types.h>

#include "kernels/conv3d.h"
#include "models/initialisation.h"

namespace lacuna::models {

ConvDiscriminator::ConvDiscriminator(std::int64_t in, const std::vector<Layer>& layers) {
  for (const Layer& layer : layers) {
    const auto conv =
        register_module(std::to_string(2 * convs_.size()), std::make_shared<torch::nn::Module>());
    const auto& k = layer.kernel;
    convs_.push_back(
        {conv->register_parameter("weight", torch::zeros({layer.out, in, k[0], k[1], k[2]})),
         conv->register_parameter("bias", torch::zeros({layer.out})), layer.stride, layer.padding});
    in = layer.out;
  }
}

std::vector<ConvDiscriminator::Layer> ConvDiscriminator::halving(
    const std::vector<std::int64_t>& widths, std::array<std::int64_t, 3>& extent) {
  std::vector<Layer> layers;
  for (const std::int64_t width : widths) {
    Layer layer{width, {4, 4, 4}, 2, {}};
    for (std::int64_t& each : extent) {
      layer.padding.push_back(each > 1 ? 1 : 2);  // (1 + 2 * 2 - 4) / 2 + 1 = 1
      each = each > 1 ? each / 2 : 1;
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

at::Tensor ConvDiscriminator::forward(const at::Tensor& x) const {
  at::Tensor y = x;
  for (const Conv& conv : convs_) {
    y = kernels::conv3d(y, conv.weight, conv.bias, conv.stride, conv.padding);
    if (&conv != &convs_.back()) y = at::leaky_relu_(y, 0.2);
  }
  return y;
}

void ConvDiscriminator::initialise() { initialise_fan_in(*this); }

}  // namespace lacuna::models
