// Dropout by sample, and the norm that goes with it.
#include "models/sample_dropout.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "models/batch_norm.h"

namespace lacuna::models {
namespace {

TEST(SampleDropout, AMaskBelongsToTheSampleWhereverItStands) {
  const auto x = torch::ones({2, 300});
  SampleDropout pair({7, 8}), alone({8});
  const auto first = pair.apply(x, 0.2), second = pair.apply(x, 0.2);
  EXPECT_TRUE(torch::equal(alone.apply(x.narrow(0, 1, 1), 0.2)[0], first[1]));
  EXPECT_TRUE(torch::equal(alone.apply(x.narrow(0, 1, 1), 0.2)[0], second[1]));
  EXPECT_FALSE(torch::equal(first[0], first[1]));
  EXPECT_FALSE(torch::equal(first[0], second[0]));
}

TEST(SampleDropout, KeepsTheMeanAndDropsTheShareAskedFor) {
  SampleDropout dropout({3});
  const auto y = dropout.apply(torch::ones({1, 20000}), 0.25);
  EXPECT_NEAR((y == 0).to(at::kFloat).mean().item<double>(), 0.25, 0.02);  // 6 deviations
  EXPECT_NEAR(y.max().item<double>(), 1 / 0.75, 1e-6);
}

TEST(SampleDropout, RefusesABatchWithoutKeys) {
  EXPECT_THROW(SampleDropout({1}).apply(torch::ones({2, 3}), 0.5), Error);
}

class BatchNormTest : public ::testing::Test {
 protected:
  BatchNormTest() {
    torch::manual_seed(5);
    const torch::NoGradGuard no_grad;
    norm_.weight.uniform_(-1, 1);
    norm_.bias.uniform_(-1, 1);
  }
  BatchNorm norm_{3};
};

TEST_F(BatchNormTest, OneSampleIsPytorchsTrainingModeRunningAveragesIncluded) {
  const auto x = torch::randn({1, 3, 2, 4, 5});
  auto mean = torch::zeros({3}), var = torch::ones({3});
  const auto expected =
      at::batch_norm(x, norm_.weight, norm_.bias, mean, var, true, 0.1, 1e-5, false).relu();
  EXPECT_TRUE(torch::allclose(norm_.forward(x, {.update_running = true}), expected, 1e-5, 1e-6));
  EXPECT_TRUE(torch::allclose(norm_.running_mean, mean, 1e-5, 1e-7));
  EXPECT_TRUE(torch::allclose(norm_.running_var, var, 1e-5, 1e-7));
  EXPECT_EQ(norm_.num_batches_tracked.item<std::int64_t>(), 1);
  const auto evaluated =
      at::batch_norm(x, norm_.weight, norm_.bias, mean, var, false, 0.1, 1e-5, false).relu();
  EXPECT_TRUE(
      torch::allclose(norm_.forward(x, {.running_statistics = true}), evaluated, 1e-5, 1e-6));
}

TEST_F(BatchNormTest, SamplesDoNotSeeEachOtherAndEvaluationMovesNothing) {
  const auto x = torch::randn({2, 3, 2, 4, 5});
  const auto both = norm_.forward(x, {});
  EXPECT_TRUE(torch::equal(both.narrow(0, 1, 1), norm_.forward(x.narrow(0, 1, 1), {})));
  EXPECT_EQ(norm_.running_mean.abs().max().item<double>(), 0);
  EXPECT_EQ(norm_.num_batches_tracked.item<std::int64_t>(), 0);
}

}  // namespace
}  // namespace lacuna::models
