// Affine maps and layer norms of transformers as PyTorch's nn.Linear and nn.LayerNorm hold them.
// Weights of maps are 0 until initialise_fan_in(). Not thread-safe.
#pragma once

#include <cstdint>

#include <torch/nn/module.h>

namespace lacuna::models {

class Linear : public torch::nn::Module {
 public:
  Linear(std::int64_t in, std::int64_t out, bool with_bias = true);
  at::Tensor forward(const at::Tensor& x) const;
  at::Tensor weight, bias;  // out x in; out, or undefined
};

class LayerNorm : public torch::nn::Module {
 public:
  LayerNorm(std::int64_t width, double epsilon);
  at::Tensor forward(const at::Tensor& x) const;
  at::Tensor weight, bias;

 private:
  double epsilon_;
};

}  // namespace lacuna::models
