// A 3-D convolution without bias whose weights are standardised at every forward pass.
//
// One parameter, `weight` (out x in x k x k x k). Input N x in x D x H x W, any layout and floating
// type of the weight. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include <torch/nn/module.h>

namespace lacuna::models {

struct ConvShape {
  std::int64_t in = 1, out = 1;
  std::int64_t kernel = 1;
  std::vector<std::int64_t> stride{1, 1, 1};
  std::int64_t padding = 0;
  std::int64_t dilation = 1;
};

class WeightStandardisedConv : public torch::nn::Module {
 public:
  explicit WeightStandardisedConv(const ConvShape& shape);

  at::Tensor forward(const at::Tensor& x) const;
  // The convolution with a standardised weight of the caller's, for one that is used in pieces.
  at::Tensor apply(const at::Tensor& x, const at::Tensor& standard_weight) const;
  at::Tensor standard_weight() const;

  at::Tensor weight;

 private:
  ConvShape shape_;
};

}  // namespace lacuna::models
