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

// One rank that notes when sums are started.
class Noting final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string name() const override { return "noting"; }
  std::unique_ptr<Operation> sum(std::span<float> values) override {
    sums.push_back(values.size());
    return finished_operation();
  }
  std::unique_ptr<Operation> sum_bf16(std::span<std::uint16_t>) override {
    return finished_operation();
  }
  std::unique_ptr<Operation> maximum(std::span<std::int64_t>) override {
    return finished_operation();
  }
  std::unique_ptr<Operation> broadcast(std::span<std::byte>, int) override {
    return finished_operation();
  }
  CommResult gather_all(std::span<const std::byte> mine, std::vector<std::vector<std::byte>>& all,
                        Seconds) override {
    all.assign(1, {mine.begin(), mine.end()});
    return {};
  }
  CommResult barrier(Seconds) override { return {}; }
  std::unique_ptr<Communicator> split(int) override { return nullptr; }

  std::vector<std::size_t> sums;  // values of each, in the order of their start
};

// The overlap itself: sums are on their way before backward() returns, those of the last layer
// first, and of several passes during the last one.
TEST(GradientReducer, SumsStartWhileBackwardIsStillRunning) {
  Noting ranks;
  const auto first = torch::ones({2}, torch::requires_grad());
  const auto last = torch::ones({3}, torch::requires_grad());
  GradientReducer reducer(ranks, {{"first", first}, {"last", last}}, {4, 4});
  std::size_t started_at_gradient = 99;
  int gradients = 0;
  const std::function<void()> note = [&] {
    if (++gradients == 4) started_at_gradient = ranks.sums.size();
  };
  reducer.begin(2, &note);
  const auto pass = [&] { ((first * 2).sum() * (last * 3).sum()).backward(); };
  pass();
  EXPECT_TRUE(ranks.sums.empty());  // the second pass adds to these gradients
  pass();
  EXPECT_EQ(ranks.sums, (std::vector<std::size_t>{3, 2}));
  EXPECT_EQ(gradients, 4);
  EXPECT_LE(started_at_gradient, 1u);
  ASSERT_TRUE(reducer.finish().ok());
  EXPECT_EQ(ranks.sums.size(), 2u);
}

TEST(GradientHooks, CallWhileTheyLive) {
  const auto a = torch::ones({2}, torch::requires_grad());
  int calls = 0;
  const std::function<void()> count = [&] { ++calls; };
  {
    const GradientHooks hooks({{"a", a}}, count);
    a.sum().backward();
  }
  EXPECT_EQ(calls, 1);
  a.sum().backward();
  EXPECT_EQ(calls, 1);
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
