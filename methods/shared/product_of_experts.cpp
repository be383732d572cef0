#include "methods/shared/product_of_experts.h"

#include <ATen/ATen.h>

namespace lacuna::methods {

Experts::Experts(const std::vector<at::Tensor>& raw) {
  for (const at::Tensor& each : raw) {
    const std::vector<at::Tensor> halves = each.chunk(2, 1);
    precision_.push_back((halves[1].clamp(-50, 50).exp() + 1e-7).reciprocal());
    weighted_.push_back(halves[0] * precision_.back());
  }
}

Experts::Experts(std::vector<at::Tensor> precision, std::vector<at::Tensor> weighted)
    : precision_(std::move(precision)), weighted_(std::move(weighted)) {}

losses::Gaussian Experts::product(data::SubsetMask subset) const {
  at::Tensor precision, weighted;
  for (std::size_t m = 0; m < precision_.size(); ++m) {
    if (!data::contains(subset, static_cast<int>(m))) continue;
    precision = precision.defined() ? precision + precision_[m] : precision_[m];
    weighted = weighted.defined() ? weighted + weighted_[m] : weighted_[m];
  }
  const at::Tensor variance = (precision + 1).reciprocal();
  return {weighted * variance, (variance + 1e-7).log()};
}

}  // namespace lacuna::methods
