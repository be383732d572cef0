// The product of Gaussian experts and a prior N(0, 1) (U-HVED, Dorent et al., MICCAI 2019, Eq. 4;
// Hinton 2002): with precisions T_m = 1 / (exp(lv_m) + 1e-7) of the modalities that are there,
//   mean = sum mu_m T_m / (1 + sum T_m),   variance = 1 / (1 + sum T_m).
// Precisions are computed once per modality; the product of any subset is a sum of them.
//
// Immutable after construction; differentiable.
#pragma once

#include <vector>

#include "data/types/modality.h"
#include "losses/gaussian_kl.h"

namespace lacuna::methods {

class Experts {
 public:
  // Raw outputs per modality, N x 2C x D x H x W: means, then log variances, which are clipped to
  // +-50.
  explicit Experts(const std::vector<at::Tensor>& raw);
  // From precision and mean * precision per modality, as kept by an evaluation.
  Experts(std::vector<at::Tensor> precision, std::vector<at::Tensor> weighted);

  // log_variance = ln(variance + 1e-7). Every modality of the subset counts for all samples.
  losses::Gaussian product(data::SubsetMask subset) const;

  const std::vector<at::Tensor>& precision() const { return precision_; }
  const std::vector<at::Tensor>& weighted() const { return weighted_; }

 private:
  std::vector<at::Tensor> precision_, weighted_;
};

}  // namespace lacuna::methods
