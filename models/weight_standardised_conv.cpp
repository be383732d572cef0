#include "models/weight_standardised_conv.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include "kernels/conv3d.h"
#include "kernels/weight_standardisation.h"

namespace lacuna::models {

WeightStandardisedConv::WeightStandardisedConv(const ConvShape& shape) : shape_(shape) {
  weight = register_parameter(
      "weight", torch::zeros({shape.out, shape.in, shape.kernel, shape.kernel, shape.kernel}));
}

at::Tensor WeightStandardisedConv::forward(const at::Tensor& x) const {
  return apply(x, standard_weight());
}

at::Tensor WeightStandardisedConv::apply(const at::Tensor& x,
                                         const at::Tensor& standard_weight) const {
  return kernels::conv3d(x, standard_weight, {}, shape_.stride, shape_.padding, shape_.dilation);
}

at::Tensor WeightStandardisedConv::standard_weight() const {
  return kernels::standardise_weight(weight);
}

}  // namespace lacuna::models
