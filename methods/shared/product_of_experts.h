// The product of Gaussian experts and a prior N(0, 1) (U-HVED, Dorent et al., MICCAI 2019, Eq. 4;
// Hinton 2002): with precisions T_m = 1 / (exp(lv_m) + 1e-7) of the modalities that are there,
//   mean = sum mu_m T_m / (1 + sum T_m),   variance = 1 / (1 + sum T_m).
// The small numbers are U-HVED's; RA-HVED has others (ExpertRule).
// Precisions are computed once per modality; the product of any subset is a sum of them.
//
// Immutable after construction; differentiable.
#pragma once

#include <vector>

#include "data/types/modality.h"
#include "losses/gaussian_kl.h"

namespace lacuna::methods {

struct ExpertRule {
  double variance_epsilon = 1e-7;  // added to the variance of an expert
  double prior_precision = 1;
  double log_epsilon = 1e-7;  // log_variance = ln(variance + log_epsilon)
};

class Experts {
 public:
  // Raw outputs per modality, N x 2C x D x H x W: means, then log variances, which are clipped to
  // +-50.
  explicit Experts(const std::vector<at::Tensor>& raw, const ExpertRule& rule = {});
  // From precision and mean * precision per modality, as kept by an evaluation.
  Experts(std::vector<at::Tensor> precision, std::vector<at::Tensor> weighted,
          const ExpertRule& rule = {});

  // Every modality of the subset counts for all samples.
  losses::Gaussian product(data::SubsetMask subset) const;
  // mask: N x M, 1 where sample n has expert m, else 0. A sample without any has the prior.
  losses::Gaussian product(const at::Tensor& mask) const;

  const std::vector<at::Tensor>& precision() const { return precision_; }
  const std::vector<at::Tensor>& weighted() const { return weighted_; }

 private:
  losses::Gaussian fused(const at::Tensor& precision, const at::Tensor& weighted) const;

  std::vector<at::Tensor> precision_, weighted_;
  ExpertRule rule_;
};

}  // namespace lacuna::methods
