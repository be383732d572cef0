// Losses between networks and those that judge them. Pure functions, differentiable.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::losses {

// Mean binary cross entropy of `logits` with the constant `label`, 0 or 1.
at::Tensor cross_entropy_to(const at::Tensor& logits, double label);

enum class EntropyOf { kSoftmaxOfSigmoid, kSoftmax, kSigmoid };

// ACN's entropy maps, N x C x D x H x W, from logits: -q log2(q + 1e-30) / log2(C), not summed over
// channels. q: softmax over channels of the SIGMOIDS (published: with C = 4 every q is between
// 0.109 and 0.475, so confident predictions do not have low entropy), or of the logits; kSigmoid:
// binary entropy of each channel by itself, in bits.
at::Tensor entropy_map(const at::Tensor& logits, EntropyOf of);

// Variational information distillation (Ahn et al., CVPR 2019, Eq. 6) as in ACN: the mean over all
// elements of 0.5 ((mean - target)^2 / s_c + ln s_c) with the variance of channel c
//   s_c = softplus(log_scale_c) + 1e-5.
// mean, target: N x C x D x H x W; log_scale: C.
at::Tensor variational_information(const at::Tensor& mean, const at::Tensor& target,
                                   const at::Tensor& log_scale);

}  // namespace lacuna::losses
