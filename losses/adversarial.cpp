#include "losses/adversarial.h"

#include <cmath>

#include <ATen/ATen.h>

namespace lacuna::losses {

at::Tensor cross_entropy_to(const at::Tensor& logits, double label) {
  return at::binary_cross_entropy_with_logits(logits, at::full_like(logits, label));
}

at::Tensor entropy_map(const at::Tensor& logits, EntropyOf of) {
  const auto bits = [](const at::Tensor& q) { return -q * (q + 1e-30).log2(); };
  if (of == EntropyOf::kSigmoid) return bits(logits.sigmoid()) + bits((-logits).sigmoid());
  const at::Tensor q = (of == EntropyOf::kSoftmax ? logits : logits.sigmoid()).softmax(/*dim=*/1);
  return bits(q) / std::log2(static_cast<double>(q.size(1)));
}

at::Tensor variational_information(const at::Tensor& mean, const at::Tensor& target,
                                   const at::Tensor& log_scale) {
  const at::Tensor variance = (at::softplus(log_scale) + 1e-5).view({1, -1, 1, 1, 1});
  return (0.5 * ((mean - target).square() / variance + variance.log())).mean();
}

}  // namespace lacuna::losses
