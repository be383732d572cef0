#include "models/hetero_unet.h"

#include <cmath>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "kernels/conv3d.h"
#include "kernels/instance_norm.h"
#include "models/initialisation.h"
#include "models/width.h"

namespace lacuna::models {
namespace {

constexpr double kHeteroEpsilon = 1e-6, kHeteroSlope = 0.02;

at::Tensor interpolated_along(const at::Tensor& x, std::int64_t axis, std::int64_t size) {
  const std::int64_t n = x.size(axis);
  if (n == size) return x;
  std::vector<std::int64_t> low, high;
  std::vector<double> part;
  for (std::int64_t i = 0; i < size; ++i) {
    low.push_back(i * n / size);
    high.push_back(std::min(low.back() + 1, n - 1));
    part.push_back(static_cast<double>(i * n % size) / static_cast<double>(size));
  }
  const auto index = [&](const std::vector<std::int64_t>& values) {
    return at::tensor(values, at::kLong).to(x.device());
  };
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[static_cast<std::size_t>(axis)] = size;
  const at::Tensor weight = at::tensor(part, at::kDouble).to(x.options()).view(shape);
  return at::lerp(x.index_select(axis, index(low)), x.index_select(axis, index(high)), weight);
}

std::array<std::int64_t, 3> extent_of(const at::Tensor& x) {
  return {x.size(2), x.size(3), x.size(4)};
}

}  // namespace

std::array<std::int64_t, kHeteroLevels> hetero_channels(double width) {
  return {scaled(4, width), scaled(8, width), scaled(16, width), scaled(32, width)};
}

HeteroUnit::HeteroUnit(std::int64_t in, std::int64_t out) {
  const auto norm = register_module("norm", std::make_shared<torch::nn::Module>());
  scale_ = norm->register_parameter("weight", torch::ones({in}));
  shift_ = norm->register_parameter("bias", torch::zeros({in}));
  const auto conv = register_module("conv", std::make_shared<torch::nn::Module>());
  kernel_ = conv->register_parameter("weight", torch::zeros({out, in, 3, 3, 3}));
}

at::Tensor HeteroUnit::forward(const at::Tensor& x) const {
  const at::Tensor active =
      kernels::instance_norm_act(x, scale_, shift_, kHeteroEpsilon, kHeteroSlope);
  return kernels::conv3d(active, kernel_, {}, 1, 1);
}

HeteroEncoder::HeteroEncoder(double width, bool halved) {
  const auto conv = register_module("conv1", std::make_shared<torch::nn::Module>());
  const std::int64_t first = scaled(8, width);
  first_ = conv->register_parameter("weight", torch::zeros({first, 1, 1, 1, 1}));
  const auto channels = hetero_channels(width);
  std::int64_t in = first;
  for (std::size_t level = 0; level < blocks_.size(); ++level) {
    const std::int64_t wide = scaled(8 << level, width), out = (halved ? 1 : 2) * channels[level];
    const auto unit = [&](int place, std::int64_t from, std::int64_t to) {
      return register_module(fmt::format("e{}_c{}", level + 1, place),
                             std::make_shared<HeteroUnit>(from, to));
    };
    blocks_[level] = {unit(1, in, wide), unit(2, wide, out)};
    in = out;
  }
}

std::vector<at::Tensor> HeteroEncoder::forward(const at::Tensor& image) const {
  at::Tensor x = at::leaky_relu(kernels::conv3d(image, first_), kHeteroSlope);
  std::vector<at::Tensor> features;
  for (const auto& block : blocks_) {
    if (!features.empty()) x = at::max_pool3d(x, 2, 2, 0, 1, /*ceil_mode=*/true);
    for (const auto& unit : block) x = unit->forward(x);
    features.push_back(x);
  }
  return features;
}

HeteroDecoder::HeteroDecoder(const std::array<std::int64_t, kHeteroLevels>& fused,
                             std::int64_t classes, double width) {
  std::int64_t below = fused[kHeteroLevels - 1];
  for (std::size_t step = 0; step < blocks_.size(); ++step) {
    const std::size_t level = blocks_.size() - 1 - step;  // of the skip
    const std::int64_t wide = scaled(8 << level, width), out = scaled(4 << level, width);
    const auto unit = [&](int place, std::int64_t from, std::int64_t to) {
      return register_module(fmt::format("d{}_c{}", step + 1, place),
                             std::make_shared<HeteroUnit>(from, to));
    };
    blocks_[step] = {unit(1, below + fused[level], wide), unit(2, wide, out)};
    below = out;
  }
  const auto conv = register_module("conv_out", std::make_shared<torch::nn::Module>());
  last_ = conv->register_parameter("weight", torch::zeros({classes, below, 1, 1, 1}));
}

at::Tensor HeteroDecoder::forward(const std::vector<at::Tensor>& fused) const {
  at::Tensor x = fused.back();
  for (std::size_t step = 0; step < blocks_.size(); ++step) {
    const at::Tensor& skip = fused[blocks_.size() - 1 - step];
    x = at::cat({enlarge_unshifted(x, extent_of(skip)), skip}, 1);
    for (const auto& unit : blocks_[step]) x = unit->forward(x);
  }
  return kernels::conv3d(x, last_);
}

at::Tensor enlarge_unshifted(const at::Tensor& x, const std::array<std::int64_t, 3>& size) {
  at::Tensor y = x;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    y = interpolated_along(y, x.dim() - 3 + static_cast<std::int64_t>(axis), size[axis]);
  }
  return y;
}

void initialise_truncated(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) {
    at::Tensor& parameter = item.value();
    if (parameter.dim() < 2) {
      parameter.fill_(item.key().ends_with("weight") ? 1 : 0);
      continue;
    }
    const auto fan_in = static_cast<double>(parameter[0].numel());
    fill_truncated_normal(parameter, std::sqrt(2 / fan_in));
  }
}

}  // namespace lacuna::models
