// The network of the toy: an encoder per modality and a head, one convolution each. Not
// thread-safe.
#pragma once

#include <vector>

#include <torch/nn/modules/conv.h>

namespace lacuna::methods::toy {

class Network : public torch::nn::Module {
 public:
  Network(int modalities, std::int64_t channels);
  at::Tensor encode(const at::Tensor& image, int modality);  // N x channels x D x H x W
  at::Tensor head(const at::Tensor& feature);                // N x 3 x D x H x W

 private:
  std::vector<torch::nn::Conv3d> encoders_;
  torch::nn::Conv3d head_{nullptr};
};

}  // namespace lacuna::methods::toy
