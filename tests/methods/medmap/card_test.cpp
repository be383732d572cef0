// MedMAP against numbers worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "methods/medmap/method.h"

namespace lacuna::methods::medmap {
namespace {

const data::ModalitySet& cohort() {
  static const data::ModalitySet made({"FLAIR", "T1", "T1c", "T2"});
  return made;
}

Options options(const Json& given = Json::object()) {
  return binding().parse(Schema(binding().declared()).resolve(given, "method_options"));
}

std::int64_t count(const torch::nn::Module& module) {
  std::int64_t numbers = 0;
  for (const at::Tensor& each : module.parameters()) numbers += each.numel();
  return numbers;
}

void set_weights(Alignment& alignment, const std::vector<double>& values) {
  const torch::NoGradGuard no_grad;
  alignment.module()->named_parameters()["weights"].copy_(at::tensor(values, at::kDouble));
}

// One voxel of each modality, in the order FLAIR, T1c, T1, T2.
std::vector<at::Tensor> voxels(const std::vector<double>& values) {
  std::vector<at::Tensor> made;
  for (const double value : values) {
    made.push_back(at::full({1, 1, 1, 1, 1}, value, at::kDouble).requires_grad_());
  }
  return made;
}

double aligned(const Json& given, const std::vector<double>& weights,
               const std::vector<at::Tensor>& z) {
  Alignment alignment(cohort(), options(given));
  alignment.module()->to(at::kDouble);
  set_weights(alignment, weights);
  return alignment.loss_of(z, {}).item<double>();
}

TEST(MedmapCard, ParameterCounts) {
  EXPECT_EQ(count(*Alignment(cohort(), options()).module()), 880 + 4);
  EXPECT_EQ(count(*Alignment(cohort(), options({{"encoder", "grouped"}})).module()), 232 + 4);
  EXPECT_EQ(count(*Alignment(cohort(), options({{"encoder", "identity"}})).module()), 4);
  EXPECT_EQ(count(*Alignment(cohort(), options({{"placement", "stage1"}})).module()), 4);
  for (const auto& [placement, expected] :
       std::map<std::string, std::int64_t>{{"input", 36'655'300}, {"stage1", 36'654'420}}) {
    const auto whole = make_method("medmap", cohort(), 1, {{"placement", placement}});
    EXPECT_EQ(count(whole->module()), expected) << placement;
  }
}

TEST(MedmapCard, LossOfFourVoxels) {
  const auto z = voxels({1, 2, 3, 4});
  EXPECT_NEAR(aligned(Json::object(), {0, 0, 0, 0}, z), 1.25, 1e-12);
  EXPECT_NEAR(aligned(Json::object(), {1, 0, 0, 0}, z), 1.453161, 1e-6);
  EXPECT_NEAR(aligned({{"anchor", "raw"}}, {1, 0, 0, 0}, z), 3.5, 1e-12);
  EXPECT_NEAR(aligned({{"anchor", "ratio"}}, {2, 0, 0, 0}, z), 3.5, 1e-12);
  EXPECT_NEAR(aligned({{"anchor", "modality"}}, {0, 0, 0, 0}, z), 3.5, 1e-12);
  EXPECT_EQ(options().alpha, 0.125);
  EXPECT_EQ(options({{"official", true}}).alpha, 0.5);
  EXPECT_EQ(options({{"official", true}, {"alpha", 0.25}}).alpha, 0.25);
  Alignment fresh(cohort(), options());
  fresh.initialise();
  EXPECT_NEAR(fresh.shares().at(0).second, 0.475367, 1e-6);
  EXPECT_EQ(fresh.shares().at(0).first, "anchor/FLAIR");
}

TEST(MedmapCard, GradientOfTheFirstVoxel) {
  const auto gradient = [](const Json& given, const std::vector<double>& weights) {
    Alignment alignment(cohort(), options(given));
    alignment.module()->to(at::kDouble);
    set_weights(alignment, weights);
    const auto z = voxels({1, 2, 3, 4});
    alignment.loss_of(z, {}).backward();
    return z[0].grad().item<double>();
  };
  EXPECT_NEAR(gradient(Json::object(), {0, 0, 0, 0}), -0.75, 1e-12);
  EXPECT_NEAR(gradient({{"detach_anchor", true}}, {0, 0, 0, 0}), -0.75, 1e-12);
  EXPECT_NEAR(gradient({{"anchor", "raw"}}, {1, 0, 0, 0}), -3, 1e-12);
  EXPECT_NEAR(gradient({{"anchor", "raw"}, {"detach_anchor", true}}, {1, 0, 0, 0}), 0, 1e-12);
  EXPECT_NEAR(gradient({{"anchor", "modality"}}, {0, 0, 0, 0}), 0, 1e-12);
}

TEST(MedmapCard, DivergenceFromTheNormalDistribution) {
  const auto of = [](std::vector<double> values) {
    std::vector<at::Tensor> z;
    for (int j = 0; j < 4; ++j) z.push_back(at::tensor(values, at::kDouble).view({1, 1, 1, 1, -1}));
    return aligned({{"anchor", "normal"}}, {0, 0, 0, 0}, z);
  };
  EXPECT_NEAR(of({-1, 3}), 1.306853, 1e-6);  // mean 1, deviation 2
  EXPECT_NEAR(of({-1, 1}), 0, 1e-12);
  EXPECT_TRUE(std::isfinite(of({0, 0})));
}

TEST(MedmapCard, ZeroWhereAllAreEqualAndWhateverTheOrder) {
  Alignment alignment(cohort(), options());
  alignment.module()->to(at::kDouble);
  set_weights(alignment, {0.4, -1, 2, 0.1});
  const at::Tensor loss = alignment.loss_of(voxels({2.5, 2.5, 2.5, 2.5}), {});
  EXPECT_NEAR(loss.item<double>(), 0, 1e-15);
  loss.backward();
  EXPECT_LT(alignment.module()->named_parameters()["weights"].grad().abs().max().item<double>(),
            1e-15);
  EXPECT_NEAR(aligned(Json::object(), {0.4, -1, 2, 0.1}, voxels({1, 2, 5, 3})),
              aligned(Json::object(), {2, 0.1, -1, 0.4}, voxels({5, 3, 2, 1})), 1e-12);
}

// FLAIR and T2 are there; T1c and T1 get the anchor.
TEST(MedmapCard, AnchorsStandForMissingFeatures) {
  for (const bool training : {true, false}) {
    for (const bool scaled : {true, false}) {
      Alignment alignment(cohort(), options({{"placement", "stage1"}, {"test_scale", scaled}}));
      alignment.module()->to(at::kDouble);
      set_weights(alignment, {0, 0, 0, 0});
      const auto z = voxels({1, 2, 3, 4});
      std::vector<at::Tensor> features = {z[0], z[2], z[1], z[3]};  // the cohort's order
      if (!training) features[1] = features[2] = at::Tensor();
      alignment.first_level(features, {0b1001}, {}, training);
      const double factor = scaled && !training ? 0.25 : 1;
      const std::vector<double> expected = {1, 2.5, 2.5, 4};
      for (std::size_t j = 0; j < 4; ++j) {
        EXPECT_NEAR(features[j].item<double>(), factor * expected[j], 1e-12) << j << training;
      }
      EXPECT_EQ(alignment.take_loss().defined(), training);
    }
  }
}

// A case that has no T1: neither the anchor nor the loss looks at it.
TEST(MedmapCard, WhatACaseLacksIsNoPartOfTheAnchor) {
  Alignment alignment(cohort(), options({{"placement", "stage1"}}));
  alignment.module()->to(at::kDouble);
  set_weights(alignment, {0, 0, 0, 0});
  const auto z = voxels({1, 2, 99, 3});
  std::vector<at::Tensor> features = {z[0], z[2], z[1], z[3]};
  alignment.first_level(features, {0b0001}, {0b1101}, /*training=*/true);
  EXPECT_NEAR(features[1].item<double>(), 2, 1e-12);
  EXPECT_NEAR(alignment.take_loss().item<double>(), 2.0 / 3, 1e-12);
}

}  // namespace
}  // namespace lacuna::methods::medmap
