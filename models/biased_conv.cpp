#include "models/biased_conv.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include "kernels/conv3d.h"

namespace lacuna::models {

BiasedConv::BiasedConv(const ConvShape& shape) : shape_(shape) {
  weight = register_parameter(
      "weight", torch::zeros({shape.out, shape.in, shape.kernel, shape.kernel, shape.kernel}));
  bias = register_parameter("bias", torch::zeros({shape.out}));
}

at::Tensor BiasedConv::forward(const at::Tensor& x) const {
  return kernels::conv3d(x, weight, bias, shape_.stride, shape_.padding, shape_.dilation);
}

UpConv::UpConv(std::int64_t in, std::int64_t out) {
  weight = register_parameter("weight", torch::zeros({in, out, 2, 2, 2}));
  bias = register_parameter("bias", torch::zeros({out}));
}

at::Tensor UpConv::forward(const at::Tensor& x) const {
  return at::conv_transpose3d(x, weight, bias, /*stride=*/2);
}

}  // namespace lacuna::models
