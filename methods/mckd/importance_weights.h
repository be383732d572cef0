// Modality importance weights of MCKD: how the raw vector that the meta phase trains becomes
// weights and ratios. Pure functions.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::methods::mckd {

enum class ImportanceNormalisation {
  kSoftmax,  // the published code: softmax on the fly in every use
  kRelu,     // max(w, 0), ablation of the paper
  kSigmoid,  // ablation of the paper
  kStored,   // the vector itself, when it is normalised where it is stored (Algorithm 1, literally)
};

// raw: M. Result: M, differentiable; the weights of the bottleneck slots in the meta phase.
at::Tensor importance(const at::Tensor& raw, ImportanceNormalisation kind);

// M x M, without gradient: [i][j] = importance_i / importance_j, the weight of modality i teaching
// j. Softmax: exp(w_i - w_j), at any distance. The others: numerator and denominator at least 1e-6,
// since they reach zero.
at::Tensor importance_ratio(const at::Tensor& raw, ImportanceNormalisation kind);

}  // namespace lacuna::methods::mckd
