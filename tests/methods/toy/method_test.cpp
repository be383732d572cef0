#include "tests/methods/toy/method.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

namespace lacuna::methods::toy {
namespace {

std::unique_ptr<methods::Method> make_toy() {
  MethodSettings settings;
  settings.options = {{"smooth", 1}};
  settings.width = 0.125;  // one channel
  return entry().make(settings);
}

TEST(ToyMethod, AveragesWhatIsAvailable) {
  const auto method = make_toy();
  torch::NoGradGuard no_grad;
  for (auto& parameter : method->module().parameters()) parameter.zero_();
  auto named = method->module().named_parameters();
  // Without weights each encoder gives its bias, so modality m has the feature m + 1 everywhere.
  for (int m = 0; m < 4; ++m) named["encoder" + std::to_string(m) + ".bias"].fill_(m + 1.0);
  named["head.weight"].fill_(10);
  const at::Tensor image = at::zeros({1, 4, 2, 2, 2});
  EXPECT_EQ(method->forward(image, 0b0001).max().item<float>(), 10);  // 10 * 1
  EXPECT_EQ(method->forward(image, 0b1010).max().item<float>(), 30);  // 10 * (2 + 4) / 2
  EXPECT_EQ(method->forward(image, 0b1111).min().item<float>(), 25);  // 10 * (1 + 2 + 3 + 4) / 4
}

TEST(ToyMethod, IgnoresWhatIsMissing) {
  torch::manual_seed(1);
  const auto method = make_toy();
  torch::NoGradGuard no_grad;
  at::Tensor image = at::randn({1, 4, 4, 4, 4});
  const at::Tensor before = method->forward(image, 0b0101);
  image.select(1, 1).fill_(100);
  EXPECT_TRUE(at::equal(method->forward(image, 0b0101), before));
}

TEST(ToyMethod, LossHasAGradientForEveryAvailableEncoder) {
  torch::manual_seed(1);
  const auto method = make_toy();
  Batch batch;
  batch.image = at::randn({2, 4, 4, 4, 4});
  batch.label = at::randint(0, 4, {2, 4, 4, 4}, at::kByte);
  batch.subsets = {{0b0011, 0b0011}};
  method->loss("train", batch, {}).total.backward();
  auto named = method->module().named_parameters();
  EXPECT_GT(named["encoder0.weight"].grad().abs().sum().item<float>(), 0);
  EXPECT_FALSE(named["encoder2.weight"].grad().defined());
}

}  // namespace
}  // namespace lacuna::methods::toy
