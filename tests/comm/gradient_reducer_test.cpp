#include "comm/gradient_reducer.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "comm/solo.h"

namespace lacuna::comm {
namespace {

TEST(GradientReducer, GivesTheGradientsOfPlainBackwardOnOneRank) {
  const auto ranks = make_solo();
  torch::manual_seed(1);
  torch::nn::Sequential net(torch::nn::Linear(4, 8), torch::nn::ReLU(), torch::nn::Linear(8, 2));
  const auto input = torch::randn({5, 4});
  net->forward(input).square().mean().backward();
  std::vector<torch::Tensor> expected;
  GradientReducer::NamedParameters parameters;
  for (const auto& item : net->named_parameters()) {
    expected.push_back(item.value().grad().clone());
    parameters.emplace_back(item.key(), item.value());
  }

  GradientReducer reducer(*ranks, parameters, {64, 64});  // several buckets
  for (int step = 0; step < 2; ++step) {  // the second step must not see the first one's sums
    reducer.begin();
    net->forward(input).square().mean().backward();
    ASSERT_TRUE(reducer.finish().ok());
    for (std::size_t p = 0; p < expected.size(); ++p) {
      EXPECT_TRUE(torch::equal(parameters[p].second.grad(), expected[p])) << parameters[p].first;
    }
  }
  EXPECT_EQ(reducer.bytes_per_step(), 4 * (4 * 8 + 8 + 8 * 2 + 2));
}

TEST(GradientReducer, CountsAParameterWithoutGradientAsZero) {
  const auto ranks = make_solo();
  const auto used = torch::ones({2}, torch::requires_grad());
  const auto unused = torch::ones({3}, torch::requires_grad());
  GradientReducer reducer(*ranks, {{"used", used}, {"unused", unused}}, {});
  reducer.begin();
  used.sum().backward();
  ASSERT_TRUE(reducer.finish().ok());
  EXPECT_TRUE(torch::equal(used.grad(), torch::ones({2})));
  EXPECT_TRUE(torch::equal(unused.grad(), torch::zeros({3})));
}

TEST(GradientReducer, LeavesTheParametersAloneOnceItIsGone) {
  const auto ranks = make_solo();
  const auto a = torch::ones({2}, torch::requires_grad());
  { GradientReducer reducer(*ranks, {{"a", a}}, {}); }
  (a * 3).sum().backward();
  EXPECT_TRUE(torch::equal(a.grad(), torch::full({2}, 3.0)));
}

TEST(GradientReducer, RefusesWhatItCannotReduce) {
  const auto ranks = make_solo();
  const auto wide = torch::ones({2}, torch::dtype(torch::kDouble).requires_grad(true));
  EXPECT_THROW(GradientReducer(*ranks, {{"wide", wide}}, {}), Error);
}

}  // namespace
}  // namespace lacuna::comm
