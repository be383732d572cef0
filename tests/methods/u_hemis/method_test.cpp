// The checks of U-HeMIS's card, section 10, that are not rates (tests/worker) or draws
// (tests/data). The published network's numbers: parity_test.cpp.
#include "methods/u_hemis/method.h"

#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "kernels/instance_norm.h"
#include "methods/exchange/comparison.h"

namespace lacuna::methods::u_hemis {
namespace {

constexpr SubsetMask kT1c = 0b0100, kT1T1c = 0b0110;

std::unique_ptr<Method> make(const Json& options = Json::object(), double width = 1) {
  MethodSettings settings;
  settings.width = width;
  settings.patch = data::Extent{12, 9, 16};
  settings.options =
      Schema(binding().declared()).resolve(options.is_null() ? Json::object() : options, "test");
  torch::manual_seed(1);
  auto method = std::make_unique<Method>(settings);
  method->initialise();
  return method;
}

std::int64_t count(torch::nn::Module& module, const std::string& with = "") {
  std::int64_t total = 0;
  for (const auto& item : module.named_parameters()) {
    if (item.key().find(with) != std::string::npos) total += item.value().numel();
  }
  return total;
}

at::Tensor volume(std::vector<double> values) {
  return at::tensor(values, at::kDouble).view({1, 1, 1, 1, -1});
}

Batch random_batch(std::vector<SubsetMask> subsets) {
  Batch batch;
  torch::manual_seed(2);
  const auto samples = static_cast<std::int64_t>(subsets.size());
  batch.image = torch::rand({samples, 4, 12, 9, 16});
  batch.label = torch::randint(0, 5, {samples, 12, 9, 16}, at::kByte);  // with a resection cavity
  batch.subsets = {std::move(subsets)};
  return batch;
}

TEST(UHemisCard, HasThePublishedNumberOfParameters) {  // check 1
  const auto method = make();
  EXPECT_EQ(count(method->module()), 565888);
  EXPECT_EQ(count(method->module(), "t2_encoder."), 111776);
  EXPECT_EQ(count(method->module(), "seg_decoder."), 118784);
  int kernels = 0, vectors = 0;
  for (const auto& parameter : method->module().parameters()) {
    (parameter.dim() > 1 ? kernels : vectors) += 1;
  }
  EXPECT_EQ(kernels, 43);
  EXPECT_EQ(vectors, 76);
}

TEST(UHemisCard, OddExtentsAreKeptByCeilPooling) {  // check 2
  const torch::NoGradGuard no_grad;
  const auto method = make();
  const Features features = method->encode(torch::rand({2, 4, 14, 9, 5}));
  ASSERT_EQ(features.size(), 16u);
  EXPECT_EQ(features[1].sizes(), (at::IntArrayRef{2, 8, 7, 5, 3}));
  EXPECT_EQ(features[2].sizes(), (at::IntArrayRef{2, 16, 4, 3, 2}));
  EXPECT_EQ(features[3].sizes(), (at::IntArrayRef{2, 32, 2, 2, 1}));
  EXPECT_EQ(method->decode(features, {kT1c})[0].sizes(), (at::IntArrayRef{2, 4, 14, 9, 5}));
}

TEST(UHemisCard, FusionOfTheWorkedExamples) {  // check 3
  const auto fused = [](std::vector<double> values, SubsetMask subset) {
    std::vector<at::Tensor> features;
    for (const double value : values) features.push_back(volume({value}));
    const at::Tensor both = fuse_moments(features, {subset}).flatten();
    return std::pair(both[0].item<double>(), both[1].item<double>());
  };
  EXPECT_EQ(fused({1, 77, 3}, 0b101), std::pair(2.0, 1.0));
  EXPECT_EQ(fused({77, 5, 77}, 0b010), std::pair(5.0, 0.0));
  EXPECT_NEAR(fused({0, 2, 4}, 0b111).second, 8.0 / 3, 1e-12);
  EXPECT_EQ(fused({4, 0, 2}, 0b111), fused({0, 2, 4}, 0b111));
}

TEST(UHemisCard, AnAbsentModalityCannotChangeTheOutput) {  // check 4
  const torch::NoGradGuard no_grad;
  const auto method = make();
  at::Tensor image = torch::rand({1, 4, 12, 9, 16});
  const auto before = method->forward(image, kT1T1c);
  image.select(1, 3).fill_(NAN);
  EXPECT_TRUE(torch::equal(method->forward(image, kT1T1c), before));
  image.select(1, 1).add_(1);
  EXPECT_FALSE(torch::equal(method->forward(image, kT1T1c), before));
}

TEST(UHemisCard, UpSamplingOfTheWorkedExamples) {  // check 6
  const auto doubled = [](std::vector<double> values) {
    const auto n = static_cast<std::int64_t>(values.size());
    return models::enlarge_unshifted(volume(std::move(values)), {1, 1, 2 * n}).flatten();
  };
  EXPECT_TRUE(torch::equal(doubled({0, 1}), at::tensor({0., .5, 1., 1.}, at::kDouble)));
  EXPECT_TRUE(torch::equal(doubled({0, 2, 4}), at::tensor({0., 1., 2., 3., 4., 4.}, at::kDouble)));
}

TEST(UHemisCard, NormOfTheWorkedExample) {  // checks 5 and 7
  const at::Tensor y = kernels::instance_norm_act(volume({1, 2, 3, 4}), at::ones(1, at::kDouble),
                                                  at::zeros(1, at::kDouble), 1e-6, 1)
                           .flatten();
  EXPECT_NEAR(y[0].item<double>(), -1.3416402, 1e-7);
  EXPECT_NEAR(y[2].item<double>(), 0.4472134, 1e-7);
}

// Check 8 with this method's four classes: half of the voxels each of two classes, p uniform.
TEST(UHemisCard, LossesOfUndecidedLogits) {
  const auto method = make();
  {
    const torch::NoGradGuard no_grad;
    method->module().named_parameters()["seg_decoder.conv_out.weight"].zero_();
  }
  Batch batch = random_batch({kT1c});
  batch.label.zero_();
  batch.label.narrow(3, 0, 8).fill_(2);
  const Loss loss = method->loss("train", batch, {});
  const std::map<std::string, at::Tensor> parts(loss.parts.begin(), loss.parts.end());
  EXPECT_NEAR(parts.at("cross_entropy").item<double>(), std::log(4), 1e-6);
  // N voxels, two classes of N / 2: 2 (1/4) (1/2) / (1/16 + 1/2) = 4/9; the others about 0.
  EXPECT_NEAR(parts.at("dice").item<double>(), 1 - (4.0 / 9) / 2, 1e-5);
}

TEST(UHemisCard, DecayIsTheMeanOverKernels) {  // check 11
  const auto method = make();
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : method->module().parameters()) {
      if (parameter.dim() > 1) parameter.mul_(std::sqrt(2) / parameter.norm());
    }
  }
  const Loss loss = method->loss("train", random_batch({kT1c}), {});
  EXPECT_NEAR(loss.parts[2].second.item<double>(), 1e-5, 1e-10);
}

TEST(UHemisMethod, StartsFromATruncatedNormal) {
  const auto method = make();
  const at::Tensor kernel =
      method->module().named_parameters()["t1_encoder.e4_c1.conv.weight"].detach();
  const double sigma = std::sqrt(2.0 / (16 * 27));
  EXPECT_LE(kernel.abs().max().item<double>(), 2 * sigma * 1.0001);
  // A normal cut at two sigma has 0.8796 of its deviation.
  EXPECT_NEAR(kernel.std().item<double>(), 0.8796 * sigma, 0.02 * sigma);
  EXPECT_NEAR(kernel.mean().item<double>(), 0, 0.02 * sigma);
}

TEST(UHemisMethod, EncodingOnceEqualsFifteenPasses) {
  const torch::NoGradGuard no_grad;
  const auto method = make({}, 0.5);
  const at::Tensor image = torch::rand({2, 4, 12, 9, 16});
  const auto subsets = data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}).subsets();
  const at::Tensor together = method->decode(method->encode(image), subsets);
  for (std::size_t s = 0; s < subsets.size(); ++s) {
    EXPECT_TRUE(
        torch::equal(together[static_cast<std::int64_t>(s)], method->forward(image, subsets[s])));
  }
}

TEST(UHemisMethod, ABatchOfMixedSubsetsIsTheMeanOfItsSamples) {
  const auto method = make({}, 0.5);
  const Batch both = random_batch({kT1c, kT1T1c});
  const double whole = method->loss("train", both, {}).total.item<double>();
  double mean = 0;
  for (std::int64_t n = 0; n < 2; ++n) {
    Batch one = both;
    one.image = both.image.narrow(0, n, 1);
    one.label = both.label.narrow(0, n, 1);
    one.subsets = {{both.subsets[0][static_cast<std::size_t>(n)]}};
    mean += method->loss("train", one, {}).total.item<double>() / 2;
  }
  EXPECT_NEAR(whole, mean, 1e-5 * mean);
  // FLAIR is in neither sample: its encoder is not in the graph but for the decay of its kernels.
  const Comparison compared = compare_phase(*method, "train", both, {});
  for (const auto& [name, norm] : compared.gradients) {
    if (name.starts_with("flair_encoder.") && name.find("norm") != std::string::npos) {
      EXPECT_FALSE(norm.has_value()) << name;
    }
  }
}

TEST(UHemisMethod, TheRateFallsToAQuarterSixTimes) {
  const Stage stage = make()->stages(60000)[0];
  EXPECT_EQ(stage.phases[0].trains[0].schedule.every, 10000);
  EXPECT_EQ(stage.phases[0].trains[0].schedule.factor, 0.25);
  EXPECT_EQ(stage.subsets["policy"], "cardinality");
}

}  // namespace
}  // namespace lacuna::methods::u_hemis
