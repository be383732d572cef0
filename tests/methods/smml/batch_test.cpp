// SMML's losses over batches whose samples differ: in label maps, and on several ranks.
#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "methods/shared/class_output_loss.h"
#include "tests/methods/smml/narrow_smml.h"

namespace lacuna::methods::smml {
namespace {

// Without label maps there is no refinement, and its parameters have no gradient; a batch in which
// one sample has none is that of the others in these terms.
TEST(Smml, SamplesWithoutLabelMapsTrainWithoutRefinement) {
  const auto method = made(kFromStart);
  method->module().to(at::kDouble);
  Batch given = batch({0b0110, 0b1001}, {0b1111, 0b0001}, at::kDouble);
  const auto value_of = [](const Loss& loss, const std::string& name) {
    return part(loss, name).item<double>();
  };
  const Batch second = [&] {
    Batch alone = batch({0b1001}, {0b0001}, at::kDouble);
    alone.image = given.image.narrow(0, 1, 1);
    alone.label = given.label.narrow(0, 1, 1);
    alone.extras["sam"] = given.extras["sam"].narrow(0, 1, 1).clone();
    return alone;
  }();
  given.extras["sam"][0].fill_(data::kNoLabelMap);
  const Loss mixed = method->loss("train", given, {});
  const Loss alone = method->loss("train", second, {});
  for (const char* network : {"model1", "model2"}) {
    const std::string name(network);
    EXPECT_NEAR(value_of(mixed, name + "_sam_dice"), value_of(alone, name + "_sam_dice"), 1e-10);
    // Means over two samples of which one adds nothing.
    EXPECT_NEAR(2 * value_of(mixed, name + "_sam_cross"), value_of(alone, name + "_sam_cross"),
                1e-10);
    EXPECT_NEAR(2 * value_of(mixed, name + "_refinement"), value_of(alone, name + "_refinement"),
                1e-10);
    EXPECT_GT(value_of(mixed, name + "_refinement"), 0);
  }
  // None at all: every part is there, those of the refinement are 0.
  given.extras.clear();
  method->module().zero_grad();
  const Loss none = method->loss("train", given, {});
  ASSERT_EQ(none.parts.size(), mixed.parts.size());
  for (std::size_t i = 0; i < none.parts.size(); ++i) {
    EXPECT_EQ(none.parts[i].first, mixed.parts[i].first);
  }
  for (const char* name : {"model1_sam_cross", "model1_sam_dice", "model2_refinement"}) {
    EXPECT_EQ(value_of(none, name), 0) << name;
  }
  none.total.backward();
  for (const auto& item : method->module().named_parameters()) {
    if (item.key().find("unet3d") == std::string::npos) continue;
    EXPECT_FALSE(item.value().grad().defined()) << item.key();
  }
  // The option without a name of maps has no such parts at all; empty masks are masks.
  const auto off = made({{"refinement", false}, {"start_epoch", 0}});
  EXPECT_TRUE(off->recipe().label_maps.empty());
  off->module().to(at::kDouble);
  const Loss plain = off->loss("train", given, {});
  EXPECT_EQ(plain.parts.size() + 6, none.parts.size());
  EXPECT_NEAR(plain.total.item<double>(), none.total.item<double>(), 1e-10);
  const auto empty = made({{"without_maps", "empty"}, {"start_epoch", 0}});
  empty->module().to(at::kDouble);
  EXPECT_GT(value_of(empty->loss("train", given, {}), "model1_sam_cross"), 0);
}

// Two ranks with a sample each have the losses of one with both: sums over voxels and prototypes
// run over the global batch. One rank has no label maps.
TEST(Smml, RanksShareSumsAndPrototypes) {
  const auto method = made({{"start_epoch", 0}, {"dropout", false}});
  method->module().to(at::kDouble);
  const torch::NoGradGuard no_grad;
  Batch both = batch({0b0110, 0b1001}, {0b1111, 0b0001}, at::kDouble);
  both.extras["sam"][0].fill_(data::kNoLabelMap);
  const Loss whole = method->loss("train", both, {});
  const auto of_rank = [&](std::int64_t n) {
    Batch mine;
    mine.image = both.image.narrow(0, n, 1);
    mine.label = both.label.narrow(0, n, 1);
    for (const auto& draw : both.subsets)
      mine.subsets.push_back({draw[static_cast<std::size_t>(n)]});
    if (n == 1) mine.extras["sam"] = both.extras["sam"].narrow(0, n, 1);
    mine.sample_index = {static_cast<std::uint64_t>(7 * 2 + n)};
    mine.whole = 2;
    return mine;
  };
  // What each rank gives to its sums, then the losses with what both gave.
  std::vector<std::vector<at::Tensor>> given(2);
  for (int round = 0; round < 2; ++round) {
    std::vector<Loss> losses;
    for (const std::int64_t n : {0, 1}) {
      Batch mine = of_rank(n);
      std::size_t call = 0;
      mine.over_ranks = [&, n](const at::Tensor& own) {
        auto& list = given[static_cast<std::size_t>(n)];
        if (round == 0) {
          list.push_back(own.clone());
          return own;
        }
        ++call;
        return given[0][call - 1] + given[1][call - 1];
      };
      losses.push_back(method->loss("train", mine, {}));
      if (round == 1) {
        EXPECT_EQ(call, given[0].size());
      }
    }
    if (round == 0) {
      ASSERT_EQ(given[0].size(), given[1].size());
      continue;
    }
    ASSERT_EQ(losses[0].parts.size(), whole.parts.size());
    for (std::size_t i = 0; i < whole.parts.size(); ++i) {
      const double mean =
          (losses[0].parts[i].second.item<double>() + losses[1].parts[i].second.item<double>()) / 2;
      EXPECT_NEAR(mean, whole.parts[i].second.item<double>(), 1e-9 * std::abs(mean) + 1e-12)
          << whole.parts[i].first;
    }
  }
}

}  // namespace
}  // namespace lacuna::methods::smml
