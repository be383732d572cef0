// The end of a residual block: LeakyReLU_slope(a + b), with slope > 0, in one pass each way. Keeps
// only its result for the backward pass. a and b have one shape; float or double on the CPU is
// computed here, anything else by ATen. Where one of them comes from an instance norm,
// instance_norm_add_act saves one more pass. Differentiable once.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::kernels {

at::Tensor add_leaky_relu(const at::Tensor& a, const at::Tensor& b, double slope);

}  // namespace lacuna::kernels
