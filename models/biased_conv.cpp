#include "models/biased_conv.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include "kernels/conv3d.h"

namespace lacuna::models {

BiasedConv::BiasedConv(const ConvShape& shape, Border border) : shape_(shape), border_(border) {
  weight = register_parameter(
      "weight", torch::zeros({shape.out, shape.in, shape.kernel, shape.kernel, shape.kernel}));
  bias = register_parameter("bias", torch::zeros({shape.out}));
}

at::Tensor BiasedConv::forward(const at::Tensor& x) const {
  if (border_ == Border::kReflect && shape_.padding > 0) {
    const at::Tensor wider = at::reflection_pad3d(x, std::vector<std::int64_t>(6, shape_.padding));
    return kernels::conv3d(wider, weight, bias, shape_.stride, 0, shape_.dilation);
  }
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
