// DeMoSeg's numbers that can be worked out by hand: counts, slots, orders, losses, rates.
#include <cmath>
#include <memory>
#include <set>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/optim/sgd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "methods/demoseg/method.h"
#include "methods/exchange/comparison.h"

namespace lacuna::methods::demoseg {
namespace {

std::unique_ptr<Method> make(Json options = Json::object(), double width = 0.25) {
  MethodSettings settings;
  settings.width = width;
  settings.options = Schema(binding().declared()).resolve(options, "test");
  settings.patch = data::Extent{32, 32, 64};
  torch::manual_seed(4);
  auto method = std::make_unique<Method>(settings);
  method->initialise();
  return method;
}

Batch batch_of(std::vector<SubsetMask> subsets) {
  torch::manual_seed(8);
  const auto samples = static_cast<std::int64_t>(subsets.size());
  Batch batch;
  batch.image = torch::randn({samples, 4, 32, 32, 64});
  batch.label = torch::randint(0, 4, {samples, 32, 32, 64}).to(at::kByte);
  batch.subsets = {std::move(subsets)};
  return batch;
}

// Check 1.
TEST(DemosegCard, ParameterCounts) {
  const auto count = [](const Network& network, const std::string& part) {
    std::int64_t number = 0;
    for (const auto& item : network.named_parameters()) {
      if (item.key().find(part) != std::string::npos) number += item.value().numel();
    }
    return number;
  };
  const Network four({});
  EXPECT_EQ(count(four, ""), 31527192);
  EXPECT_EQ(four.named_parameters().size(), 178u);
  EXPECT_EQ(count(four, "context.0."), 117024);
  EXPECT_EQ(count(four, "context.0.t1_conv."), 960);
  EXPECT_EQ(count(four, "context.0.t2flare_csa."), 28296);
  EXPECT_EQ(count(four, "context.0.t1_csa.conv.ch_order."), 552);
  EXPECT_EQ(count(four, "ch_order."), 244696);
  const std::vector<std::int64_t> context = {168400, 672672, 2688832, 5030160, 5583120};
  const std::vector<std::int64_t> merged = {8347920, 5343040, 1336224, 334288, 83688};
  const std::vector<std::int64_t> up = {819200, 655360, 262144, 65536, 16384};
  const std::vector<std::int64_t> head = {1280, 1024, 512, 256, 128};
  for (std::size_t i = 0; i < 5; ++i) {
    const std::string place = std::to_string(i) + ".";
    EXPECT_EQ(count(four, "context." + std::to_string(i + 1) + "."), context[i]) << i;
    EXPECT_EQ(count(four, "localization." + place), merged[i]) << i;
    EXPECT_EQ(count(four, "tu." + place), up[i]) << i;
    EXPECT_EQ(count(four, "seg_outputs." + place), head[i]) << i;
  }
  Network::Shape shape;
  shape.classes = 5;
  EXPECT_EQ(count(Network(shape), ""), 31527992);
}

// Check 2, at half of the extents.
TEST(DemosegCard, ShapesOfLevels) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  const auto logits = method->network().trunk(
      lend(method->network().branches(torch::randn({1, 4, 64, 32, 64}), 0b1111).sorted, {0b1111},
           4),
      true);
  ASSERT_EQ(logits.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(logits[i].sizes().vec(),
              (std::vector<std::int64_t>{1, 4, 64 >> i, 32 >> i, 64 >> i}));
  }
}

// Check 3: branch m holds 100 m + channel; slot j of a subset comes from the lender with the
// smallest XOR distance, and from the quarter of that number.
TEST(DemosegCard, SlotsOfAllSubsets) {
  std::vector<at::Tensor> branches;
  for (int m = 0; m < 4; ++m) {
    branches.push_back((100 * m + at::arange(32, at::dtype(at::kFloat))).view({1, 32, 1, 1, 1}));
  }
  for (SubsetMask present = 1; present < 16; ++present) {
    const at::Tensor slots = lend(branches, {present}, 4).flatten();
    for (int j = 0; j < 4; ++j) {
      int r = 0;
      while ((present >> (j ^ r) & 1) == 0) ++r;
      for (int c = 0; c < 8; ++c) {
        EXPECT_EQ(slots[8 * j + c].item<int>(), 100 * (j ^ r) + 8 * r + c) << present << " " << j;
      }
    }
  }
  // The card's rows: lender * 10 + quarter.
  const auto row = [](SubsetMask present) {
    std::vector<int> result;
    for (const Loan& loan : loans(present, 4)) result.push_back(loan.lender * 10 + loan.quarter);
    return result;
  };
  EXPECT_EQ(row(0b0001), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(row(0b1100), (std::vector<int>{22, 32, 20, 30}));
  EXPECT_EQ(row(0b0011), (std::vector<int>{0, 10, 2, 12}));
  EXPECT_EQ(row(0b1001), (std::vector<int>{0, 1, 31, 30}));
  EXPECT_EQ(row(0b1101), (std::vector<int>{0, 1, 20, 30}));
  EXPECT_EQ(row(0b1111), (std::vector<int>{0, 10, 20, 30}));
  // Samples of several subsets: as each by itself.
  std::vector<at::Tensor> two;
  for (const at::Tensor& each : branches) two.push_back(at::cat({each, each + 1000}));
  const at::Tensor mixed = lend(two, {0b0001, 0b1100}, 4);
  EXPECT_TRUE(at::equal(mixed.narrow(0, 0, 1), lend(branches, {0b0001}, 4)));
  EXPECT_TRUE(at::equal(mixed.narrow(0, 1, 1), lend(branches, {0b1100}, 4) + 1000));
}

// Check 4, and equal gates: the lower index first in either direction.
TEST(DemosegCard, SortBlockByHand) {
  const at::Tensor u = at::tensor({1.f, 10.f, 100.f, 2.f, 20.f, 200.f}).view({2, 3, 1, 1, 1});
  const at::Tensor gate = at::tensor({0.2f, 0.9f, 0.5f, 0.9f, 0.5f, 0.2f}).view({2, 3});
  EXPECT_TRUE(at::equal(add_in_order(u, channel_order(gate, Sorting::kAscending)).flatten(),
                        at::tensor({2.f, 110.f, 110.f, 202.f, 40.f, 202.f})));
  EXPECT_TRUE(at::equal(add_in_order(u, channel_order(gate, Sorting::kDescending)).flatten(),
                        at::tensor({11.f, 110.f, 101.f, 4.f, 40.f, 400.f})));
  const at::Tensor equal = torch::full({1, 40}, 0.5);
  for (const Sorting sorting : {Sorting::kAscending, Sorting::kDescending}) {
    EXPECT_TRUE(at::equal(channel_order(equal, sorting)[0], at::arange(40)));
  }
}

// Check 5.
TEST(DemosegCard, DivergenceByHand) {
  const auto map = [] { return torch::zeros({1, 32, 2, 1, 3}); };
  std::vector<at::Tensor> own = {map(), map(), map(), map()};
  EXPECT_NEAR(stand_in_divergence(own, 0b1111, 4).item<double>(), 0, 1e-9);
  EXPECT_FALSE(stand_in_divergence(own, 0b0100, 4).defined());
  own[2].select(1, 3).fill_(std::log(3.0));  // in quarter 0 of T2
  const double d = (0.3 * std::log(2.4) + 0.7 * std::log(0.8)) / 8;
  EXPECT_NEAR(d, 0.0133050, 1e-7);
  // T1 stands in for T2; T2's own stand-ins for T1 are uniform, as is T1.
  EXPECT_NEAR(stand_in_divergence(own, 0b0101, 4).item<double>(), d, 1e-7);
  // Quarter m XOR j of a_m: only that of T1c for FLAIR differs.
  own = {map(), map(), map(), map()};
  own[1].select(1, 8 * 2 + 3).fill_(5);
  EXPECT_GT(stand_in_divergence(own, 0b1010, 4).item<double>(), 0.01);
  EXPECT_NEAR(stand_in_divergence(own, 0b0111, 4).item<double>(), 0, 1e-9);
}

// Check 6.
TEST(DemosegCard, LevelLossByHand) {
  const at::Tensor label = torch::zeros({1, 2, 2, 2}, at::kByte);
  label[0][0][0].fill_(1);
  const LevelLoss loss = level_loss(torch::zeros({1, 4, 2, 2, 2}, at::kDouble), label);
  EXPECT_NEAR(loss.dice.item<double>(), 0.9166627, 1e-6);
  EXPECT_NEAR((loss.dice + loss.cross).item<double>(), 2.3029571, 1e-6);
  // A resection cavity is background.
  label[0][1].fill_(4);
  EXPECT_NEAR(level_loss(torch::zeros({1, 4, 2, 2, 2}, at::kDouble), label).dice.item<double>(),
              0.9166627, 1e-6);
}

// Check 7.
TEST(DemosegCard, RateFollowsThePower) {
  const Stage stage = make()->stages(250000).at(0);
  const TrainedGroup& group = stage.phases.at(0).trains.at(0);
  EXPECT_EQ(group.schedule.kind, ScheduleSpec::Kind::kPoly);
  EXPECT_EQ(group.schedule.granularity, 250);
  EXPECT_EQ(group.schedule.horizon, 250000);
  for (const auto& [epoch, wanted] : std::map<int, double>{
           {0, 0.01}, {250, 7.7189178e-3}, {500, 5.3588673e-3}, {999, 1.9952623e-5}}) {
    EXPECT_NEAR(group.optimizer.learning_rate * std::pow(1 - epoch / 1000.0, group.schedule.power),
                wanted, 1e-7);
  }
  EXPECT_TRUE(group.optimizer.nesterov);
  EXPECT_EQ(group.optimizer.clip_norm, 12);
  EXPECT_FALSE(group.optimizer.defined_zero);
}

// Check 8.
TEST(DemosegCard, LabelsOfLevels) {
  const at::Tensor ramp = at::arange(128, at::dtype(at::kByte));
  const at::Tensor label = ramp.view({1, 1, 1, 128}).expand({1, 128, 128, 128});
  for (const auto& [level, wanted] : std::map<int, std::vector<int>>{
           {0, {0, 1, 2}}, {1, {1, 3, 5}}, {2, {2, 6, 10}}, {3, {4, 12, 20}}, {4, {8, 24, 40}}}) {
    const at::Tensor taken = level_label(label, level);
    EXPECT_EQ(taken.sizes().vec(),
              (std::vector<std::int64_t>{1, 128 >> level, 128 >> level, 128 >> level}));
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ(taken[0][0][0][static_cast<std::int64_t>(i)].item<int>(), wanted[i]) << level;
    }
  }
}

// Check 10.
TEST(DemosegCard, AnAbsentModalityChangesNothing) {
  const auto method = make();
  Batch batch = batch_of({0b0110});  // T1, T1c
  const Comparison before = compare_phase(*method, "train", batch, {});
  batch.image.select(1, 0).fill_(std::nan(""));
  batch.image.select(1, 3).fill_(1e6);
  const Comparison after = compare_phase(*method, "train", batch, {});
  EXPECT_EQ(before.losses, after.losses);
  EXPECT_TRUE(at::equal(before.output, after.output));
  for (const auto& [name, norm] : after.gradients) {
    const bool absent = name.find("t2_conv") != std::string::npos ||
                        name.find("t2_csa") != std::string::npos ||
                        name.find("t2flare") != std::string::npos;
    const bool idle =
        absent || name.find("ch_order") != std::string::npos || name == "seg_outputs.0.weight";
    EXPECT_EQ(norm.has_value(), !idle) << name;
  }
}

// Check 11: after a step what has no gradient is as it was, weight decay or not.
TEST(DemosegCard, GatesAndTheCoarsestHeadStay) {
  const auto method = make();
  std::map<std::string, at::Tensor> before;
  for (const auto& item : method->module().named_parameters()) {
    before[item.key()] = item.value().detach().clone();
  }
  method->loss("train", batch_of({0b1111, 0b0001}), {}).total.backward();
  torch::optim::SGD sgd(method->module().parameters(),
                        torch::optim::SGDOptions(0.01).weight_decay(3e-5));
  sgd.step();
  for (const auto& item : method->module().named_parameters()) {
    const bool idle =
        item.key().find("ch_order") != std::string::npos || item.key() == "seg_outputs.0.weight";
    if (idle) {
      EXPECT_TRUE(at::equal(item.value(), before.at(item.key()))) << item.key();
    }
    if (item.key().ends_with("instnorm.weight")) {
      EXPECT_FALSE(at::equal(item.value(), before.at(item.key()))) << item.key();
    }
  }
}

}  // namespace
}  // namespace lacuna::methods::demoseg
