#include "tests/methods/toy/network.h"

#include <string>

#include <torch/types.h>

namespace lacuna::methods::toy {

Network::Network(int modalities, std::int64_t channels) {
  for (int m = 0; m < modalities; ++m) {
    const auto options = torch::nn::Conv3dOptions(1, channels, 3).padding(1);
    encoders_.push_back(register_module("encoder" + std::to_string(m), torch::nn::Conv3d(options)));
  }
  head_ = register_module("head", torch::nn::Conv3d(torch::nn::Conv3dOptions(channels, 3, 1)));
}

at::Tensor Network::encode(const at::Tensor& image, int modality) {
  return torch::relu(encoders_[modality]->forward(image.narrow(1, modality, 1)));
}

at::Tensor Network::head(const at::Tensor& feature) { return head_->forward(feature); }

}  // namespace lacuna::methods::toy
