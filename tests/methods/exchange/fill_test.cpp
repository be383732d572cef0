// The fill formula against the check values that come with the published vectors, and against
// numbers from an independent Python version of the formula.
#include "methods/exchange/fill.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>
#include <torch/types.h>

#include "base/text/json.h"

namespace lacuna::methods {
namespace {

Json published() {
  return read_json(std::filesystem::path(std::getenv("LACUNA_SOURCE")) / "tests/parity/mckd.json");
}

void expect_values(const at::Tensor& tensor, const std::vector<double>& expected) {
  const at::Tensor flat = tensor.flatten();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(flat[static_cast<std::int64_t>(i)].item<double>(), expected[i], 1e-7) << i;
  }
}

TEST(Fill, TheInputImageIsThePublishedOne) {
  const Json json = published();
  const Json& check = json["input_check"];
  const at::Tensor image = fill("input", json["input_shape"].get<std::vector<std::int64_t>>(), 1);
  EXPECT_NEAR(image.sum(at::kDouble).item<double>(), check["sum"], 1e-6);
  EXPECT_NEAR(image.abs().sum(at::kDouble).item<double>(), check["abs_sum"], 1e-5);
  expect_values(image, check["first"].get<std::vector<double>>());
}

TEST(Fill, TheLabelHasThePublishedClassCounts) {
  const Json json = published();
  const auto shape = json["input_shape"].get<std::vector<std::int64_t>>();
  const at::Tensor label = fill_label({shape[0], shape[2], shape[3], shape[4]}, 1);
  const auto expected = json["label_check"]["class_counts"].get<std::vector<std::int64_t>>();
  for (std::int64_t value = 0; value < 4; ++value) {
    EXPECT_EQ((label == value).sum().item<std::int64_t>(), expected[value]);
  }
}

TEST(Fill, LabelsAreConstantInBlocksOfFourAlsoAtACutEdge) {
  const at::Tensor label = fill_label({1, 6, 4, 4}, 3, 100);
  EXPECT_EQ(std::get<0>(at::_unique(label.narrow(1, 0, 4))).numel(), 1);
  EXPECT_EQ(std::get<0>(at::_unique(label.narrow(1, 4, 2))).numel(), 1);
}

TEST(Fill, TheNameAndShapeDecideTheRange) {
  expect_values(fill("a.running_mean", {2}, 7), {-0.027507245607, -0.003540504740});
  expect_values(fill("a.running_var", {2}, 7), {1.094725428665, 1.197034588043});
  expect_values(fill("a.num_batches_tracked", {1}, 7), {0});
  expect_values(fill("a.weight", {2}, 7), {1.051282541940, 0.989467969517});
  expect_values(fill("a.bias", {2}, 7), {0.038418975547, -0.041763958698});
  // Two dimensions: the bound is sqrt(6 / fan-in), here sqrt(6 / 3).
  expect_values(fill("a.weight", {2, 3}, 7), {0.725244663248, -0.148945403474, 0.772130937449});
}

}  // namespace
}  // namespace lacuna::methods
