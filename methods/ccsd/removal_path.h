// CCSD's decremental distillation: in which order a set of modalities loses its members. Pure
// functions.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "base/random.h"
#include "data/types/modality.h"

namespace lacuna::methods::ccsd {

enum class RemovalOrder { kMostCritical, kRandom, kLeastCritical };

// c(a, b) = <F_a, F_b> / (|F_a| |F_b|) per sample (Eq. 3). features: N x M x ... -> N x M x M on
// the CPU, double, without gradient.
at::Tensor similarities(const at::Tensor& features);

// The sets start = S_k, ..., S_1, each without one member of the one before it. The criticality of
// a in a set is s(a) = - sum over the other members b of c(a, b) (Eq. 4): what is least like the
// rest goes first, among equals the modality of lowest index. Scores are those of the start set;
// `dynamic`: of each set anew. similarity: M x M on the CPU, double; `random` serves kRandom.
std::vector<data::SubsetMask> removal_path(const at::Tensor& similarity, data::SubsetMask start,
                                           RemovalOrder order, bool dynamic, Stream random);

}  // namespace lacuna::methods::ccsd
