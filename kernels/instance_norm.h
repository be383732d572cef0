// Instance normalisation fused with what follows it in a network.
//
//   y = LeakyReLU_slope((x - mean) / sqrt(var + eps) * weight + bias [+ residual])
//
// x: N x C x D x H x W (any number of spatial dimensions), float, double or bfloat16; statistics
// per sample and channel over all voxels, population variance, in float (double for double).
// weight, bias: C, or both undefined (scale 1, shift 0). slope 1 = no activation, 0 = ReLU. The
// result has x's layout: contiguous and channels-last are computed directly, anything else is
// copied first. One voxel per channel gives LeakyReLU(bias) and zero gradients for x and weight.
//
// CPU: own kernels; the result does not depend on the number of threads. Where the normalised value
// can be recovered from y, only y is kept for the backward pass, and the memory of x is free as
// soon as the caller drops it. Other devices: the same function from ATen's operators.
// Differentiable once (Error on create_graph). Throws Error on other types or shapes.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::kernels {

at::Tensor instance_norm_act(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             double eps, double slope);

// The residual (of x's shape) is added before the activation: the end of a ResNet block.
at::Tensor instance_norm_add_act(const at::Tensor& x, const at::Tensor& weight,
                                 const at::Tensor& bias, const at::Tensor& residual, double eps,
                                 double slope);

}  // namespace lacuna::kernels
