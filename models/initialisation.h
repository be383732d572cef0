// Random weights as published code draws them. From torch's default generator, in the order of the
// parameters.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

namespace lacuna::models {

// Every weight of a convolution or transposed convolution (5 dimensions) under `module`:
// N(0, 2 / fan_out) with fan_out = weight.size(0) * kernel voxels, which for a transposed
// convolution counts its INPUT channels, as published (ShaSpec, MCKD). Norms: scale 1, shift 0.
void initialise_fan_out(torch::nn::Module& module);

// PyTorch's defaults: weights of two dimensions or more and the biases beside them
// U(-1/sqrt(fan_in), 1/sqrt(fan_in)) with fan_in = weight[0].numel(), which for a transposed
// convolution counts its OUTPUT channels; norms: scale 1, shift 0. A parameter that is neither
// `weight` nor `bias` (a position embedding) becomes 0.
void initialise_fan_in(torch::nn::Module& module);

// PyTorch's defaults (initialise_fan_in), and then every weight of a 3-D convolution N(0, 2 /
// fan_in): Kaiming's rule for ReLU, as RFNet and its successors have it.
void initialise_kaiming(torch::nn::Module& module);

// N(0, deviation^2) without what lies further out than two deviations.
void fill_truncated_normal(at::Tensor& tensor, double deviation);

// TensorFlow's code of Robust-MSeg and PMKL: kernels of convolutions truncated normal with 0.01, of
// affine maps with sqrt(2.6 / fan_in); norms: scale 1, shift 0. Biases of convolutions are 0, or
// with glorot_bias U(-sqrt(3 / n), sqrt(3 / n)) of n values, as that library takes them where it is
// told nothing; those of affine maps are 0.
void initialise_gated(torch::nn::Module& module, bool glorot_bias);

}  // namespace lacuna::models
