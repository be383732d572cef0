// Weight standardisation of a convolution (ShaSpec, MCKD: models/), with its gradient.
//
// standardise_weight(w) = (w - mean) / sqrt(var + 1e-12) per output channel (dimension 0), with the
// unbiased variance over the other dimensions. float or double on the CPU in one pass each way;
// elsewhere, and for other types, from ATen's operators. Keeps the layout of w. Differentiable
// once.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::kernels {

at::Tensor standardise_weight(const at::Tensor& weight);

}  // namespace lacuna::kernels
