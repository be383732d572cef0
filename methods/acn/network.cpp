#include "methods/acn/network.h"

#include <cmath>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "models/initialisation.h"

namespace lacuna::methods::acn {
namespace {

std::shared_ptr<models::BiasedConv> conv(std::int64_t in, std::int64_t out, std::int64_t kernel) {
  return std::make_shared<models::BiasedConv>(
      models::ConvShape{.in = in, .out = out, .kernel = kernel, .padding = kernel / 2});
}

// A child under a name of several parts, as in a published nn.Sequential: "hidden_conv", "2".
template <typename Child>
std::shared_ptr<Child> in_sequence(torch::nn::Module& sequence, int place,
                                   std::shared_ptr<Child> child) {
  return sequence.register_module(std::to_string(place), std::move(child));
}

}  // namespace

VaeBranch::Affine::Affine(std::vector<std::int64_t> weight_shape) {
  weight = register_parameter("weight", torch::ones(weight_shape));
  bias = register_parameter("bias", torch::zeros({weight_shape[0]}));
}

VaeBranch::VaeBranch(std::int64_t b, std::int64_t image_channels,
                     const std::array<std::int64_t, 3>& extent)
    : latent_(2 * b), coarse_{extent[0] / 16, extent[1] / 16, extent[2] / 16} {
  const auto sequence = [&](const std::string& name) {
    return register_module(name, std::make_shared<torch::nn::Module>());
  };
  const auto hidden = sequence("hidden_conv");
  norm_ = in_sequence(*hidden, 0, std::make_shared<Affine>(std::vector{8 * b}));
  hidden_ = in_sequence(*hidden, 2, conv(8 * b, 4 * b, 3));
  mu_ = register_module("mu_fc", std::make_shared<Affine>(std::vector{latent_, latent_}));
  logvar_ = register_module("logvar_fc", std::make_shared<Affine>(std::vector{latent_, latent_}));
  const std::int64_t voxels = coarse_[0] * coarse_[1] * coarse_[2];
  dense_ = in_sequence(*sequence("reconstraction"), 0,  // sic: the published name
                       std::make_shared<Affine>(std::vector{8 * b * voxels, latent_}));
  up_[0] = {in_sequence(*sequence("vconv4"), 0, conv(8 * b, 8 * b, 1)), nullptr};
  for (std::int64_t level = 3; level >= 1; --level) {
    const auto vconv = sequence(fmt::format("vconv{}", level));
    const std::int64_t out = b << (level - 1);
    up_[static_cast<std::size_t>(4 - level)] = {
        in_sequence(*vconv, 0, conv(2 * out, out, 3)),
        in_sequence(*vconv, 2, std::make_shared<models::PreActivationBlock>(out))};
  }
  last_ = register_module("vconv0", conv(b, image_channels, 1));
}

VaeBranch::Output VaeBranch::forward(const at::Tensor& c4d, const at::Tensor& noise) const {
  const at::Tensor active =
      at::group_norm(c4d, models::kNormGroups, norm_->weight, norm_->bias, 1e-5).relu_();
  const at::Tensor h = hidden_->forward(active).mean({2, 3, 4});
  Output out;
  out.mu = at::linear(h.narrow(1, 0, latent_), mu_->weight, mu_->bias);
  out.logvar = at::linear(h.narrow(1, latent_, latent_), logvar_->weight, logvar_->bias);
  const at::Tensor z = noise.defined() ? out.mu + (out.logvar / 2).exp() * noise : out.mu;
  at::Tensor y = at::linear(z, dense_->weight, dense_->bias).relu();
  y = y.view({c4d.size(0), c4d.size(1), coarse_[0], coarse_[1], coarse_[2]});
  for (const Up& up : up_) {
    y = up.conv->forward(y);
    y = at::upsample_nearest3d(y, {2 * y.size(2), 2 * y.size(3), 2 * y.size(4)});
    if (up.refine) y = up.refine->forward(y);
  }
  out.image = last_->forward(y);
  return out;
}

InformationRegressor::InformationRegressor(std::int64_t channels) {
  log_scale = register_parameter("log_scale", torch::zeros({channels}));
  const auto sequence = register_module("regressor", std::make_shared<torch::nn::Module>());
  for (int i = 0; i < 3; ++i) {
    const auto layer = in_sequence(*sequence, 2 * i, std::make_shared<torch::nn::Module>());
    weights_[static_cast<std::size_t>(i)] =
        layer->register_parameter("weight", torch::zeros({channels, channels, 1, 1, 1}));
  }
}

at::Tensor InformationRegressor::forward(const at::Tensor& features) const {
  at::Tensor y = features;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    y = at::conv3d(y, weights_[i]);
    if (i + 1 < weights_.size()) y = y.relu_();
  }
  return y;
}

// softplus(log_scale) + 1e-5 = 5
void InformationRegressor::initialise_scale() {
  const torch::NoGradGuard no_grad;
  log_scale.fill_(std::log(std::expm1(5 - 1e-5)));
}

Network::Network(std::int64_t in, double width, const std::array<std::int64_t, 3>& extent) {
  unet_ = register_module("unet", std::make_shared<models::MyronenkoUnet>(
                                      models::MyronenkoShape{.in = in, .width = width}));
  vae_ = register_module(
      "vae_branch",
      std::make_shared<VaeBranch>(models::MyronenkoUnet::base_channels(width), in, extent));
  regressor_ =
      register_module("VID_branch", std::make_shared<InformationRegressor>(feature_channels()));
}

Output Network::forward(const at::Tensor& x, const models::ForwardMode& mode) const {
  Output out;
  const models::MyronenkoOutput made = unet_->forward(x, mode, &out.dropped);
  out.logit = made.logit;
  out.features = made.content;
  return out;
}

void Network::initialise() {
  models::initialise_fan_in(*this);
  regressor_->initialise_scale();
}

}  // namespace lacuna::methods::acn
