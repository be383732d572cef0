#include "methods/rfnet/region_fusion.h"

#include <string>

#include <ATen/ATen.h>

#include "losses/precise.h"

namespace lacuna::methods::rfnet {
namespace {

using losses::precise;
using losses::PreciseProducts;
using models::BiasedConv;
using models::ConvUnit;

constexpr double kSlope = 0.2;

std::array<std::shared_ptr<ConvUnit>, 3> three_units(torch::nn::Module& owner, std::int64_t in,
                                                     std::int64_t channels,
                                                     const models::UnitStyle& style) {
  const auto make = [&](const char* name, std::int64_t from, std::int64_t to, std::int64_t kernel) {
    return owner.register_module(name, std::make_shared<ConvUnit>(from, to, kernel, style));
  };
  return {make("0", in, channels, 1), make("1", channels, channels, 3),
          make("2", channels, channels / 2, 1)};
}

at::Tensor through(const std::array<std::shared_ptr<ConvUnit>, 3>& units, at::Tensor x) {
  for (const auto& unit : units) x = unit->forward(x);
  return x;
}

}  // namespace

RegionFusion::RegionFusion(std::int64_t modalities, std::int64_t channels, std::int64_t hidden,
                           int classes, const models::UnitStyle& style) {
  const auto list = register_module("modal_fusion", std::make_shared<torch::nn::Module>());
  for (int i = 0; i < classes; ++i) {
    const auto own =
        list->register_module(std::to_string(i), std::make_shared<torch::nn::Module>());
    const auto layer = own->register_module("weight_layer", std::make_shared<torch::nn::Module>());
    perceptrons_.push_back(
        {layer->register_module("0", models::plain_conv(modalities * channels + 1, hidden)),
         layer->register_module("2", models::plain_conv(hidden, modalities))});
  }
  const auto regions = register_module("region_fusion", std::make_shared<torch::nn::Module>());
  const auto layers =
      regions->register_module("fusion_layer", std::make_shared<torch::nn::Module>());
  regions_ = three_units(*layers, classes * channels, channels, style);
  const auto short_cut = register_module("short_cut", std::make_shared<torch::nn::Module>());
  short_cut_ = three_units(*short_cut, modalities * channels, channels, style);
}

// mean(y prm) over voxels for all modalities and classes is one product of matrices.
at::Tensor RegionFusion::descriptors(const at::Tensor& features, const at::Tensor& map) {
  const PreciseProducts in_float(features);
  const at::Tensor rows = precise(features).flatten(1, 2).flatten(2);  // N x (M c) x voxels
  const at::Tensor regions = precise(map).flatten(2);                  // N x classes x voxels
  const at::Tensor extent = regions.mean(2, /*keepdim=*/true) + 1e-7;
  const at::Tensor means =
      at::bmm(regions, rows.transpose(1, 2)) / static_cast<double>(rows.size(2));
  return at::cat({means / extent, extent}, 2);
}

at::Tensor RegionFusion::weights(const at::Tensor& descriptors) const {
  const PreciseProducts in_float(descriptors);
  std::vector<at::Tensor> weights;
  for (std::size_t i = 0; i < perceptrons_.size(); ++i) {
    const auto& [first, second] = perceptrons_[i];
    const at::Tensor hidden =
        at::leaky_relu(at::linear(descriptors.select(1, static_cast<std::int64_t>(i)),
                                  first->weight.flatten(1), first->bias),
                       kSlope);
    weights.push_back(at::linear(hidden, second->weight.flatten(1), second->bias).sigmoid());
  }
  return at::stack(weights, 1);
}

// sum_k a_ki y_k prm_i = prm_i sum_k a_ki y_k: the features of every region need not be kept.
at::Tensor RegionFusion::fused(const at::Tensor& features, const at::Tensor& map,
                               const at::Tensor& weights) {
  const PreciseProducts in_float(features);
  const at::Tensor mixed = at::bmm(weights, precise(features).flatten(2));  // N x classes x (c v)
  const at::Tensor by_channel = mixed.unflatten(2, {features.size(2), -1});
  const at::Tensor gated = by_channel * precise(map).flatten(2).unsqueeze(2);
  return gated.flatten(1, 2).unflatten(2, features.sizes().slice(3));
}

at::Tensor RegionFusion::forward(const at::Tensor& features, const at::Tensor& map) const {
  const at::Tensor gate = map.detach();
  const at::Tensor regions = fused(features, gate, weights(descriptors(features, gate)));
  return at::cat({through(regions_, regions), through(short_cut_, features.flatten(1, 2))}, 1);
}

}  // namespace lacuna::methods::rfnet
