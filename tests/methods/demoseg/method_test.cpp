// What DeMoSeg promises beyond its numbers: encode once, shares of a batch, other cohorts.
#include "methods/demoseg/method.h"

#include <memory>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace lacuna::methods::demoseg {
namespace {

std::unique_ptr<Method> make(Json options = Json::object(),
                             data::ModalitySet modalities = data::ModalitySet({"FLAIR", "T1", "T1c",
                                                                               "T2"})) {
  MethodSettings settings;
  settings.width = 0.25;
  settings.modalities = std::move(modalities);
  settings.options = Schema(binding().declared()).resolve(options, "test");
  settings.patch = data::Extent{32, 32, 64};
  torch::manual_seed(4);
  auto method = std::make_unique<Method>(settings);
  method->initialise();
  return method;
}

TEST(Demoseg, EncodingOnceEqualsFifteenPasses) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  const at::Tensor image = torch::randn({2, 4, 32, 32, 64});
  std::vector<SubsetMask> subsets;
  for (SubsetMask subset = 1; subset < 16; ++subset) subsets.push_back(subset);
  const at::Tensor once = method->decode(method->encode(image), subsets);
  for (std::size_t s = 0; s < subsets.size(); ++s) {
    EXPECT_TRUE(at::allclose(once[static_cast<std::int64_t>(s)], method->forward(image, subsets[s]),
                             1e-5, 1e-5))
        << subsets[s];
  }
  EXPECT_GT((once[0] - once[14]).abs().max().item<double>(), 1e-3);
}

// The divergence is a sum over the batch, whatever part of it is computed at once.
TEST(Demoseg, PartsOfABatchAddUp) {
  const auto method = make();
  torch::manual_seed(8);
  Batch batch;
  batch.image = torch::randn({3, 4, 32, 32, 64});
  batch.label = torch::randint(0, 4, {3, 32, 32, 64}).to(at::kByte);
  batch.subsets = {{0b0111, 0b1000, 0b1111}};
  batch.whole = 3;
  const double together = method->loss("train", batch, {}).total.item<double>();
  double sum = 0;
  for (std::int64_t n = 0; n < 3; ++n) {
    Batch part;
    part.image = batch.image.narrow(0, n, 1);
    part.label = batch.label.narrow(0, n, 1);
    part.subsets = {{batch.subsets[0][static_cast<std::size_t>(n)]}};
    part.whole = 3;
    const Loss loss = method->loss("train", part, {});
    sum += loss.total.item<double>() / 3;
    EXPECT_EQ(loss.parts.back().first, "kl");
    EXPECT_EQ(loss.parts.back().second.item<double>() > 0, n != 1);  // a single modality: none
  }
  EXPECT_NEAR(together, sum, 1e-5 * together);
}

TEST(Demoseg, OptionsChangeWhatTheySay) {
  torch::manual_seed(8);
  Batch batch;
  batch.image = torch::randn({1, 4, 32, 32, 64});
  batch.label = torch::randint(0, 4, {1, 32, 32, 64}).to(at::kByte);
  batch.subsets = {{0b1111}};
  const auto total = [&](const Json& options) {
    return make(options)->loss("train", batch, {}).total.item<double>();
  };
  const double sorted = total(Json::object());
  EXPECT_LT(total({{"kl_weight", 0}}), sorted);
  EXPECT_NE(total({{"sort", false}}), sorted);
  EXPECT_TRUE(make()->inference().relabelled.empty());
  EXPECT_EQ(make({{"official", true}})->inference().relabelled.at(0).minimum, 500);
}

// Three modalities have four slots, the last of which is always lent; two have two.
TEST(Demoseg, OtherNumbersOfModalitiesWork) {
  const torch::NoGradGuard no_grad;
  for (const auto& names : std::vector<std::vector<std::string>>{
           {"T2", "T1c", "ADC"}, {"T1", "FLAIR"}, {"T1"}, {"T1", "T1c", "T2", "FLAIR", "ADC"}}) {
    const auto method = make(Json::object(), data::ModalitySet(names));
    const auto number = static_cast<std::int64_t>(names.size());
    const at::Tensor image = torch::randn({1, number, 32, 32, 64});
    for (SubsetMask subset = 1; subset < SubsetMask{1} << number; ++subset) {
      EXPECT_TRUE(method->forward(image, subset).isfinite().all().item<bool>());
    }
  }
}

}  // namespace
}  // namespace lacuna::methods::demoseg
