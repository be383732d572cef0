#include "models/modality_fusion.h"

#include <ATen/ATen.h>

#include "kernels/conv3d.h"

namespace lacuna::models {

ModalityFusion::ModalityFusion(std::int64_t modalities, std::int64_t channels, UnitStyle style)
    : channels_(channels) {
  style.border = Border::kZeros;
  style.norm_first = true;
  const auto layers = register_module("fusion_layer", std::make_shared<torch::nn::Module>());
  const auto make = [&](const char* name, std::int64_t in, std::int64_t kernel) {
    return layers->register_module(name, std::make_shared<ConvUnit>(in, channels, kernel, style));
  };
  units_ = {make("0", modalities * channels, 1), make("1", channels, 3), make("2", channels, 1)};
}

at::Tensor ModalityFusion::forward(const at::Tensor& features) const {
  return units_[2]->forward(units_[1]->forward(units_[0]->forward(features)));
}

at::Tensor ModalityFusion::share(std::int64_t modality, const at::Tensor& features) const {
  const at::Tensor weight = units_[0]->conv->weight.narrow(1, modality * channels_, channels_);
  return kernels::conv3d(units_[0]->normalise(features), weight);
}

at::Tensor ModalityFusion::from_shares(const at::Tensor& sum) const {
  const at::Tensor first = sum + units_[0]->conv->bias.view({1, -1, 1, 1, 1});
  return units_[2]->forward(units_[1]->forward(first));
}

}  // namespace lacuna::models
