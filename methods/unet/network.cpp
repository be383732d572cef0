#include "methods/unet/network.h"

#include <algorithm>
#include <string>

#include <ATen/ATen.h>
#include <torch/nn/init.h>
#include <torch/types.h>

#include "kernels/conv3d.h"
#include "models/width.h"

namespace lacuna::methods::unet {
namespace {

constexpr std::int64_t kBaseChannels = 32;
constexpr std::int64_t kMostChannels = 320;  // nnU-Net's limit for 3-D networks

std::int64_t channels_at(std::int64_t level, double width) {
  return models::scaled(std::min(kBaseChannels << level, kMostChannels), width);
}

}  // namespace

Conv::Conv(std::int64_t in, std::int64_t out, std::int64_t stride) : stride_(stride) {
  const auto conv = register_module("conv", std::make_shared<torch::nn::Module>());
  weight_ = conv->register_parameter("weight", torch::empty({out, in, 3, 3, 3}));
  norm_ = register_module("norm", std::make_shared<models::InstanceNorm>(out));
}

at::Tensor Conv::forward(const at::Tensor& x) const {
  return norm_->forward(kernels::conv3d(x, weight_, {}, stride_, 1));
}

Network::Network(const Shape& shape) {
  std::int64_t in = shape.in;
  for (std::int64_t level = 0; level < shape.levels; ++level) {
    const std::int64_t out = channels_at(level, shape.width);
    encoder_.push_back(make_level("encoder", in, out, level == 0 ? 1 : 2));
    in = out;
  }
  const std::int64_t heads =
      shape.deep_supervision ? std::max<std::int64_t>(1, shape.levels - 2) : 1;
  for (std::int64_t level = 0; level + 1 < shape.levels; ++level) {
    const std::int64_t out = channels_at(level, shape.width);
    const std::int64_t below = channels_at(level + 1, shape.width);
    up_.push_back(make_plain("up", {below, out, 2, 2, 2}, out));
    decoder_.push_back(make_level("decoder", 2 * out, out, 1));
    if (level < heads) head_.push_back(make_plain("head", {shape.out, out, 1, 1, 1}, shape.out));
  }
  initialise();
}

Network::Level Network::make_level(const std::string& name, std::int64_t in, std::int64_t out,
                                   std::int64_t stride) {
  const std::size_t level = name == "encoder" ? encoder_.size() : decoder_.size();
  const auto parent =
      register_module(name + std::to_string(level), std::make_shared<torch::nn::Module>());
  return {parent->register_module("0", std::make_shared<Conv>(in, out, stride)),
          parent->register_module("1", std::make_shared<Conv>(out, out, 1))};
}

Network::Plain Network::make_plain(const std::string& name, std::vector<std::int64_t> shape,
                                   std::int64_t out) {
  const std::size_t level = name == "up" ? up_.size() : head_.size();
  const auto parent =
      register_module(name + std::to_string(level), std::make_shared<torch::nn::Module>());
  return {parent->register_parameter("weight", torch::empty(shape)),
          parent->register_parameter("bias", torch::zeros({out}))};
}

std::vector<at::Tensor> Network::forward(const at::Tensor& image) const {
  std::vector<at::Tensor> skips;
  at::Tensor x = image;
  for (const Level& level : encoder_) {
    for (const auto& conv : level) x = conv->forward(x);
    skips.push_back(x);
  }
  std::vector<at::Tensor> logits(head_.size());
  for (std::size_t level = decoder_.size(); level-- > 0;) {
    x = at::conv_transpose3d(x, up_[level].weight, up_[level].bias, /*stride=*/2);
    x = at::cat({x, skips[level]}, 1);
    skips[level].reset();
    for (const auto& conv : decoder_[level]) x = conv->forward(x);
    if (level < head_.size()) logits[level] = at::conv3d(x, head_[level].weight, head_[level].bias);
  }
  return logits;
}

void Network::initialise() {
  torch::NoGradGuard no_grad;
  for (auto& item : named_parameters()) {
    if (item.value().dim() == 5) {
      torch::nn::init::kaiming_normal_(item.value(), models::kLeakySlope);
    } else {
      item.value().fill_(item.key().ends_with("norm.weight") ? 1 : 0);
    }
  }
}

}  // namespace lacuna::methods::unet
