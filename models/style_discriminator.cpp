#include "models/style_discriminator.h"

#include <string>

#include <ATen/ATen.h>
#include <torch/types.h>

#include "kernels/conv3d.h"
#include "models/initialisation.h"
#include "models/width.h"

namespace lacuna::models {

StyleDiscriminator::StyleDiscriminator(std::int64_t channels,
                                       const std::array<std::int64_t, 3>& extent, double width) {
  std::int64_t in = channels;
  std::array<std::int64_t, 3> left = extent;
  for (const std::int64_t published : {64, 128, 256}) {
    std::vector<std::int64_t> padding;
    for (std::int64_t& each : left) {
      padding.push_back(each > 1 ? 1 : 2);  // (1 + 2 * 2 - 4) / 2 + 1 = 1
      each = each > 1 ? each / 2 : 1;
    }
    const std::int64_t out = scaled(published, width);
    add(in, out, {4, 4, 4}, padding, 2);
    in = out;
  }
  add(in, 1, left, {0, 0, 0}, 1);
}

void StyleDiscriminator::add(std::int64_t in, std::int64_t out,
                             const std::array<std::int64_t, 3>& kernel,
                             std::vector<std::int64_t> padding, std::int64_t stride) {
  const auto conv =
      register_module(std::to_string(2 * layers_.size()), std::make_shared<torch::nn::Module>());
  layers_.push_back(
      {conv->register_parameter("weight", torch::zeros({out, in, kernel[0], kernel[1], kernel[2]})),
       conv->register_parameter("bias", torch::zeros({out})), std::move(padding), stride});
}

at::Tensor StyleDiscriminator::forward(const at::Tensor& x) const {
  at::Tensor y = x;
  for (const Layer& layer : layers_) {
    y = kernels::conv3d(y, layer.weight, layer.bias, layer.stride, layer.padding);
    if (&layer != &layers_.back()) y = at::leaky_relu_(y, 0.2);
  }
  return y;
}

void StyleDiscriminator::initialise() { initialise_fan_in(*this); }

}  // namespace lacuna::models
