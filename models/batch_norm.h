// Batch normalisation of one sample at a time, followed by ReLU.
//
// Networks that are published with batch norm and a batch of one normalise each sample by its own
// statistics. That is what a larger batch does here too, so that results do not depend on how
// samples share batches or ranks. For one sample it equals PyTorch's BatchNorm3d in training, and
// its running averages (momentum 0.1, unbiased variance) are the same; with more samples they
// follow the mean over samples. Epsilon 1e-5. Not thread-safe.
#pragma once

#include <cstdint>

#include <torch/nn/module.h>

#include "models/forward_mode.h"

namespace lacuna::models {

class BatchNorm : public torch::nn::Module {
 public:
  explicit BatchNorm(std::int64_t channels);

  // x: N x C x D x H x W -> ReLU of the normalised x.
  at::Tensor forward(const at::Tensor& x, const ForwardMode& mode);

  at::Tensor weight, bias;
  at::Tensor running_mean, running_var, num_batches_tracked;  // buffers

 private:
  void follow(const at::Tensor& x);
};

}  // namespace lacuna::models
