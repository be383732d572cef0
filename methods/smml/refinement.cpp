#include "methods/smml/refinement.h"

#include <string>

#include <ATen/ATen.h>
#include <torch/types.h>

#include "kernels/conv3d.h"
#include "losses/precise.h"
#include "models/conv_unit.h"
#include "models/initialisation.h"
#include "models/width.h"

namespace lacuna::methods::smml {
namespace {

constexpr double kSlope = 0.2;  // of the leaky ReLU between the layers of the weights

}  // namespace

ConvBatchNorm::ConvBatchNorm(std::int64_t in, std::int64_t out, std::int64_t stride)
    : stride_(stride) {
  const auto conv = register_module("0", std::make_shared<torch::nn::Module>());
  weight_ = conv->register_parameter("weight", torch::zeros({out, in, 3, 3, 3}));
  norm_ = register_module("1", std::make_shared<models::BatchNorm>(out));
}

at::Tensor ConvBatchNorm::forward(const at::Tensor& x) const {
  return norm_->forward(kernels::conv3d(x, weight_, {}, stride_, /*padding=*/1), {});
}

// Card 2.2.
RefinementUnet::RefinementUnet(std::int64_t in, std::int64_t out, double width) {
  std::array<std::int64_t, 4> c{};
  for (std::size_t level = 0; level < 4; ++level) {
    c[level] = models::scaled(std::int64_t{32} << level, width);
    encoders_[level] =
        register_module("encoder" + std::to_string(level + 1),
                        std::make_shared<ConvBatchNorm>(level == 0 ? in : c[level - 1], c[level],
                                                        level == 0 ? 1 : 2));
  }
  for (std::size_t level = 3; level > 0; --level) {
    const std::int64_t own = c[level - 1];
    up_[level - 1] = register_module("upconv" + std::to_string(level),
                                     std::make_shared<models::UpConv>(c[level], own));
    decoders_[level - 1] = register_module("decoder" + std::to_string(level),
                                           std::make_shared<ConvBatchNorm>(2 * own, own, 1));
  }
  last_ = register_module("conv_final", models::plain_conv(c[0], out));
}

at::Tensor RefinementUnet::forward(const at::Tensor& x) const {
  std::array<at::Tensor, 4> levels;
  for (std::size_t level = 0; level < 4; ++level) {
    levels[level] = encoders_[level]->forward(level == 0 ? x : levels[level - 1]);
  }
  at::Tensor below = levels[3];
  for (std::size_t level = 3; level > 0; --level) {
    const at::Tensor up = up_[level - 1]->forward(below);
    below = decoders_[level - 1]->forward(at::cat({up, levels[level - 1]}, 1));
  }
  return last_->forward(below);
}

void RefinementUnet::initialise() {
  models::initialise_kaiming(*this);
  for (const auto& up : up_) models::initialise_fan_in(*up);
}

MaskWeights::MaskWeights(std::int64_t modalities, std::int64_t classes, double width)
    : layers_(static_cast<std::size_t>(classes)) {
  const std::int64_t narrow = models::scaled(64, width), wide = models::scaled(128, width);
  const std::array<std::int64_t, 5> channels{modalities + 1, narrow, wide, narrow, modalities};
  const auto all = register_module("weight_fusion", std::make_shared<torch::nn::Module>());
  for (std::size_t c = 0; c < layers_.size(); ++c) {
    const auto own = all->register_module(std::to_string(c), std::make_shared<torch::nn::Module>());
    const auto stack = own->register_module("weight_layer", std::make_shared<torch::nn::Module>());
    for (std::size_t i = 0; i < 4; ++i) {
      layers_[c][i] = stack->register_module(std::to_string(2 * i),
                                             models::plain_conv(channels[i], channels[i + 1]));
    }
  }
}

at::Tensor MaskWeights::forward(const at::Tensor& masks, const at::Tensor& one_hot) const {
  const losses::PreciseProducts guard(masks);  // an absent class makes numbers of up to 1e6
  const at::Tensor extent = one_hot.flatten(2).mean(2) + 1e-7;  // N x C
  const at::Tensor shares =
      losses::precise(masks).flatten(3).mean(3) / extent.unsqueeze(1);  // N x M x C
  std::vector<at::Tensor> weights;
  for (std::size_t c = 0; c < layers_.size(); ++c) {
    const auto of_class = static_cast<std::int64_t>(c);
    at::Tensor x = at::cat({shares.select(2, of_class), extent.narrow(1, of_class, 1)}, 1);
    x = x.view({x.size(0), x.size(1), 1, 1, 1});
    for (std::size_t i = 0; i < 4; ++i) {
      x = layers_[c][i]->forward(i == 0 ? x : at::leaky_relu(x, kSlope));
    }
    weights.push_back(x.sigmoid().flatten(1));
  }
  return at::stack(weights, 2);
}

at::Tensor masks_of_labels(const at::Tensor& maps, std::int64_t classes, at::ScalarType type,
                           bool background) {
  std::vector<at::Tensor> channels;
  for (std::int64_t c = 0; c < classes; ++c) {
    channels.push_back(c > 0 || background ? maps == c : at::zeros_like(maps, at::kBool));
  }
  return at::stack(channels, 2).to(type);
}

at::Tensor masks_of_array(const at::Tensor& array, std::int64_t modalities) {
  return array.unflatten(1, {-1, modalities}).transpose(1, 2);
}

}  // namespace lacuna::methods::smml
