#include "models/conv_norm.h"

namespace lacuna::models {

ConvNorm::ConvNorm(const ConvShape& shape) {
  conv = register_module("0", std::make_shared<WeightStandardisedConv>(shape));
  norm = register_module("1", std::make_shared<InstanceNorm>(shape.out));
}

at::Tensor ConvNorm::forward(const at::Tensor& x, double slope) const {
  return norm->forward(conv->forward(x), slope);
}

}  // namespace lacuna::models
