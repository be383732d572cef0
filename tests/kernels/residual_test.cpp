#include "kernels/residual.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

namespace lacuna::kernels {
namespace {

TEST(AddLeakyRelu, EqualsTheCompositionAndItsGradient) {
  torch::manual_seed(2);
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast3d}) {
    for (const auto type : {at::kFloat, at::kDouble, at::kBFloat16}) {
      const at::Tensor a = at::randn({2, 3, 5, 4, 3}).to(type).contiguous(format);
      const at::Tensor b = at::randn({2, 3, 5, 4, 3}).to(type);  // contiguous in either case
      const at::Tensor a1 = a.clone().requires_grad_(), b1 = b.clone().requires_grad_();
      const at::Tensor a2 = a.clone().requires_grad_(), b2 = b.clone().requires_grad_();
      const at::Tensor ours = add_leaky_relu(a1, b1, 0.01);
      const at::Tensor theirs = at::leaky_relu(a2 + b2, 0.01);
      EXPECT_TRUE(at::allclose(ours, theirs));
      (ours * ours).sum().backward();
      (theirs * theirs).sum().backward();
      EXPECT_TRUE(at::allclose(a1.grad(), a2.grad()));
      EXPECT_TRUE(at::allclose(b1.grad(), b2.grad()));
    }
  }
}

}  // namespace
}  // namespace lacuna::kernels
