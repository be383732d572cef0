#include "models/instance_norm.h"

#include <torch/types.h>

#include "kernels/instance_norm.h"

namespace lacuna::models {
namespace {

constexpr double kEpsilon = 1e-5;

}  // namespace

InstanceNorm::InstanceNorm(std::int64_t channels) {
  weight = register_parameter("weight", torch::ones({channels}));
  bias = register_parameter("bias", torch::zeros({channels}));
}

at::Tensor InstanceNorm::forward(const at::Tensor& x, double slope) const {
  return kernels::instance_norm_act(x, weight, bias, kEpsilon, slope);
}

at::Tensor InstanceNorm::forward_add(const at::Tensor& x, const at::Tensor& residual,
                                     double slope) const {
  return kernels::instance_norm_add_act(x, weight, bias, residual, kEpsilon, slope);
}

}  // namespace lacuna::models
