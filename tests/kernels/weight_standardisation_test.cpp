#include "kernels/weight_standardisation.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "base/error.h"

namespace lacuna::kernels {
namespace {

at::Tensor composition(const at::Tensor& w) {
  const at::Tensor rows = w.flatten(1);
  const at::Tensor deviation = (rows.var(1, true, true) + 1e-12).sqrt();
  return ((rows - rows.mean(1, true)) / deviation).view_as(w);
}

TEST(StandardiseWeight, ByHand) {
  // Worked by hand for ShaSpec.
  const at::Tensor w = at::tensor({1.0f, 2.0f, 3.0f, 4.0f}).view({1, 4, 1, 1, 1});
  const at::Tensor expected = at::tensor({-1.16190f, -0.38730f, 0.38730f, 1.16190f});
  EXPECT_TRUE(at::allclose(standardise_weight(w).flatten(), expected, 0, 1e-5));
  EXPECT_TRUE(at::allclose(standardise_weight(w * 10).flatten(), expected, 0, 1e-5));
}

TEST(StandardiseWeight, EqualsTheCompositionAndItsGradient) {
  torch::manual_seed(5);
  const at::Tensor value = at::randn({6, 5, 3, 3, 3}, at::kDouble);
  const at::Tensor cotangent = at::randn({6, 5, 3, 3, 3}, at::kDouble);
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast3d}) {
    for (const auto type : {at::kDouble, at::kFloat}) {
      const at::Tensor ours = value.to(type).clone(format).requires_grad_();
      const at::Tensor theirs = value.clone().requires_grad_();
      const at::Tensor result = standardise_weight(ours), expected = composition(theirs);
      EXPECT_EQ(result.strides(), ours.strides());
      const double tolerance = type == at::kDouble ? 1e-12 : 1e-5;
      EXPECT_LT((result - expected).abs().max().item<double>(), tolerance);
      (result * cotangent.to(type)).sum().backward();
      (expected * cotangent).sum().backward();
      EXPECT_LT((ours.grad() - theirs.grad()).abs().max().item<double>(), 2 * tolerance);
    }
  }
}

TEST(StandardiseWeight, RefusesOneWeightPerChannel) {
  EXPECT_THROW(standardise_weight(at::ones({4, 1, 1, 1, 1})), Error);
}

}  // namespace
}  // namespace lacuna::kernels
