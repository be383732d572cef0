#include "kernels/repeatable_backward.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace lacuna::kernels {
namespace {

at::Tensor gradient(const at::Tensor& input, const std::function<at::Tensor(at::Tensor)>& make) {
  const at::Tensor leaf = input.detach().clone().requires_grad_(true);
  const at::Tensor output = make(leaf);
  torch::manual_seed(8);
  output.backward(torch::randn_like(output));
  return leaf.grad();
}

// Against torch's own on a CPU, in double: odd extents, one axis that stays, growing and shrinking.
TEST(RepeatableBackward, UpsamplesAsTorchDoes) {
  torch::manual_seed(3);
  const at::Tensor input = torch::randn({2, 3, 3, 5, 4}, at::kDouble);
  for (const bool corners : {false, true}) {
    for (const auto& size : {std::vector<std::int64_t>{3, 10, 8}, {7, 9, 2}, {1, 5, 13}}) {
      torch::manual_seed(8);
      const at::Tensor grad = torch::randn({2, 3, size[0], size[1], size[2]}, at::kDouble);
      const at::Tensor expected =
          at::upsample_trilinear3d_backward(grad, size, input.sizes(), corners);
      const at::Tensor own =
          kernels::upsample_trilinear3d_backward(grad, size, input.sizes(), corners, {}, {}, {});
      EXPECT_TRUE(torch::allclose(own, expected, 1e-12, 1e-12)) << size << corners;
    }
  }
}

// Windows that overlap, pad, leave a rest, or stand apart; ties go to the same place.
TEST(RepeatableBackward, PoolsAsTorchDoes) {
  torch::manual_seed(4);
  struct Window {
    std::int64_t kernel, stride, padding, dilation;
    bool ceil;
  };
  const at::Tensor random = torch::randn({2, 3, 6, 7, 5}, at::kDouble);
  const at::Tensor ties = torch::randint(0, 3, {2, 3, 6, 7, 5}).to(at::kDouble);
  for (const Window& each : {Window{3, 2, 1, 1, false},
                             {2, 2, 0, 1, false},
                             {2, 2, 0, 1, true},
                             {3, 1, 1, 1, false},
                             {2, 3, 1, 1, false},
                             {2, 1, 0, 2, false},
                             {5, 2, 2, 1, true}}) {
    for (const at::Tensor& input : {random, ties}) {
      const auto [out, indices] = at::max_pool3d_with_indices(
          input, {each.kernel, each.kernel, each.kernel}, {each.stride, each.stride, each.stride},
          {each.padding, each.padding, each.padding}, {each.dilation, each.dilation, each.dilation},
          each.ceil);
      torch::manual_seed(8);
      const at::Tensor grad = torch::randn_like(out);
      const std::vector<std::int64_t> k(3, each.kernel), s(3, each.stride), p(3, each.padding),
          d(3, each.dilation);
      const at::Tensor expected =
          at::max_pool3d_with_indices_backward(grad, input, k, s, p, d, each.ceil, indices);
      EXPECT_TRUE(torch::allclose(max_pool3d_backward(grad, input, k, s, p, d, each.ceil, indices),
                                  expected, 1e-12, 1e-12))
          << each.kernel << each.stride << each.padding << each.dilation << each.ceil;
    }
  }
}

// Registered, autograd uses them; afterwards torch's own again. On a CPU, since the way is the
// same.
TEST(RepeatableBackward, TakesTheirPlaceWhileItLives) {
  torch::manual_seed(5);
  const at::Tensor input = torch::randn({1, 2, 4, 6, 5});
  const auto up = [](const at::Tensor& x) {
    return at::upsample_trilinear3d(x, {8, 12, 10}, /*align_corners=*/false);
  };
  const auto pool = [](const at::Tensor& x) { return at::max_pool3d(x, 3, 2, 1); };
  const at::Tensor plain_up = gradient(input, up), plain_pool = gradient(input, pool);
  {
    const RepeatableBackward own(c10::DispatchKey::CPU);
    EXPECT_TRUE(torch::allclose(gradient(input, up), plain_up, 1e-5, 1e-6));
    EXPECT_TRUE(torch::allclose(gradient(input, pool), plain_pool, 1e-5, 1e-6));
  }
  EXPECT_TRUE(torch::equal(gradient(input, up), plain_up));
  EXPECT_TRUE(torch::equal(gradient(input, pool), plain_pool));
}

}  // namespace
}  // namespace lacuna::kernels
