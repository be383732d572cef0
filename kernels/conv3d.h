// Convolution in three dimensions, as at::conv3d with one group.
//
// For a single sample of few channels and rows torch leaves oneDNN for a kernel that unfolds the
// image (ATen/native/Convolution.cpp, use_mkldnn: at most 20480 elements in N x C x D x H), which
// takes several times as long. This function asks oneDNN for those, too: float on the CPU, kernels
// larger than a voxel, without autocast. Differentiable once (Error on create_graph) where it does,
// and the same as at::conv3d everywhere else, but for one fault of oneDNN: in bf16 on the CPU, maps
// that the kernel reaches over are convolved in float (the result is bf16). Layouts follow the
// input, as in at::conv3d.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::kernels {

// x: N x in x D x H x W; weight: out x in x kernel; bias: out, or undefined for none. Steps: one
// for all axes, or one for each.
at::Tensor conv3d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {},
                  at::IntArrayRef stride = 1, at::IntArrayRef padding = 0,
                  at::IntArrayRef dilation = 1);

}  // namespace lacuna::kernels
