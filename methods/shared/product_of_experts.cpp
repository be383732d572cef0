#include "methods/shared/product_of_experts.h"

#include <ATen/ATen.h>

namespace lacuna::methods {

Experts::Experts(const std::vector<at::Tensor>& raw, const ExpertRule& rule) : rule_(rule) {
  for (const at::Tensor& each : raw) {
    const std::vector<at::Tensor> halves = each.chunk(2, 1);
    precision_.push_back((halves[1].clamp(-50, 50).exp() + rule.variance_epsilon).reciprocal());
    weighted_.push_back(halves[0] * precision_.back());
  }
}

Experts::Experts(std::vector<at::Tensor> precision, std::vector<at::Tensor> weighted,
                 const ExpertRule& rule)
    : precision_(std::move(precision)), weighted_(std::move(weighted)), rule_(rule) {}

losses::Gaussian Experts::product(data::SubsetMask subset) const {
  at::Tensor precision, weighted;
  for (std::size_t m = 0; m < precision_.size(); ++m) {
    if (!data::contains(subset, static_cast<int>(m))) continue;
    precision = precision.defined() ? precision + precision_[m] : precision_[m];
    weighted = weighted.defined() ? weighted + weighted_[m] : weighted_[m];
  }
  return fused(precision, weighted);
}

losses::Gaussian Experts::product(const at::Tensor& mask) const {
  at::Tensor precision, weighted;
  for (std::size_t m = 0; m < precision_.size(); ++m) {
    const at::Tensor has = mask.select(1, static_cast<std::int64_t>(m)).view({-1, 1, 1, 1, 1});
    const at::Tensor own = precision_[m] * has, mean = weighted_[m] * has;
    precision = precision.defined() ? precision + own : own;
    weighted = weighted.defined() ? weighted + mean : mean;
  }
  return fused(precision, weighted);
}

losses::Gaussian Experts::fused(const at::Tensor& precision, const at::Tensor& weighted) const {
  const at::Tensor variance = (precision + rule_.prior_precision).reciprocal();
  return {weighted * variance, (variance + rule_.log_epsilon).log()};
}

}  // namespace lacuna::methods
