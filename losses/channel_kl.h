// Kullback-Leibler divergence between two maps whose voxels are distributions over channels, or
// over two outcomes per channel. Pure functions, differentiable in both arguments.
//
// Each returns one value per sample, so that the mean over a batch depends on neither ranks nor
// micro-batches. Inputs of any type: computed in float, or double where they are.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::losses {

struct ChannelKl {
  double temperature = 1;    // P = softmax over channels of x / temperature; no factor T^2
  bool standardise = false;  // x first gets mean 0 and deviation 1 over channels, voxel by voxel
};

// Mean over voxels of sum_c P^t_c log(P^t_c / P^s_c). teacher, student: N x C x ... -> N.
at::Tensor channel_kl(const at::Tensor& teacher, const at::Tensor& student,
                      const ChannelKl& options = {});

// Mean over voxels of the largest P_c, without gradient: near 1 the softmax is saturated and
// teaches nothing. N x C x ... -> N.
at::Tensor channel_peak(const at::Tensor& map, const ChannelKl& options = {});

// Mean over channels and voxels of p log(p / q) + (1 - p) log((1 - p) / (1 - q)) with p and q the
// sigmoids of teacher and student: N x C x ... -> N.
at::Tensor bernoulli_kl(const at::Tensor& teacher, const at::Tensor& student);

}  // namespace lacuna::losses
