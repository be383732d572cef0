// The checks of the mmFormer card, section 10, that need no published weights (those of numbers
// that the vectors hold are in parity_test.cpp; of the losses in
// tests/losses/class_losses_test.cpp; of blocks in tests/models/conv_unit_test.cpp; of the learning
// rate in tests/worker/state/schedule_test.cpp; of several ranks in tests/worker).
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "methods/mmformer/method.h"

namespace lacuna::methods::mmformer {
namespace {

const std::vector<std::string>& names() {
  static const std::vector<std::string> all = {"FLAIR", "T1c", "T1", "T2"};
  return all;
}

std::int64_t count(const torch::nn::Module& module, const std::string& prefix = "") {
  std::int64_t total = 0;
  for (const auto& item : module.named_parameters()) {
    if (item.key().starts_with(prefix)) total += item.value().numel();
  }
  return total;
}

// Check 1.
TEST(MmformerCardParameters, AreThoseOfTheCode) {
  const Network four({.modalities = names(), .classes = 4});
  EXPECT_EQ(count(four), 36'654'416);
  EXPECT_EQ(four.named_parameters().size(), 287u);
  EXPECT_TRUE(four.named_buffers().is_empty());
  EXPECT_EQ(count(four, "t1ce_encoder."), 1'473'216);
  EXPECT_EQ(count(four, "flair_transformer."), 5'250'048);
  EXPECT_EQ(count(four, "decoder_fuse."), 1'293'444);
  EXPECT_EQ(count(four, "decoder_sep."), 593'356);
  const Network five({.modalities = names(), .classes = 5, .extent = {32, 32, 32}});
  EXPECT_EQ(count(five, "decoder_fuse."), 1'293'697);
  EXPECT_EQ(count(five, "decoder_sep."), 593'365);
}

// A narrow network in double with random weights.
class MmformerCard : public ::testing::Test {
 protected:
  static Method made() {
    torch::manual_seed(4);
    MethodSettings settings;
    settings.width = 0.25;
    settings.patch = data::Extent{32, 48, 32};
    settings.options = Schema(binding().declared()).resolve(Json::object(), "test");
    Method method(settings);
    method.initialise();
    method.module().to(at::kDouble);
    return method;
  }
  static Batch batch(std::vector<SubsetMask> subsets) {
    torch::manual_seed(5);
    const auto samples = static_cast<std::int64_t>(subsets.size());
    Batch made;
    made.image = torch::randn({samples, 4, 32, 48, 32}, at::kDouble);
    made.label = torch::randint(0, 4, {samples, 32, 48, 32}).to(at::kByte);
    made.subsets = {std::move(subsets)};
    return made;
  }
};

// Check 2.
TEST_F(MmformerCard, EveryOutputHasTheInputsExtentAndSumsToOne) {
  Method method = made();
  const torch::NoGradGuard no_grad;
  Network& network = method.network();
  const at::Tensor image = batch({15}).image;
  std::vector<at::Tensor> all;
  std::vector<models::Contribution> given;
  for (std::size_t m = 0; m < 4; ++m) {
    const Network::Encoded one =
        network.encode(image.narrow(1, static_cast<std::int64_t>(m), 1), m, {});
    given.push_back(network.contribution(one, m));
    all.push_back(network.separate(one).softmax(1));
  }
  const auto out = network.decode(given, {}, /*deep=*/true, {});
  all.push_back(out.logits.softmax(1));
  for (std::size_t l = 0; l < 4; ++l) {
    all.push_back(models::enlarge(out.deep[l].softmax(1), std::int64_t{2} << l));
  }
  EXPECT_EQ(all.size(), 9u);
  for (const at::Tensor& each : all) {
    EXPECT_EQ(each.sizes(), (at::IntArrayRef{1, 4, 32, 48, 32}));
    EXPECT_LT((each.sum(1) - 1).abs().max().item<double>(), 1e-5);
  }
}

// Check 5: token t = 512 m + p holds t; voxel 0 gets FLAIR's tokens 0 to 3, voxel 128 (i = 2)
// T1ce's 0 to 3, voxel 511 T2's 508 to 511.
TEST(MmformerCardLayout, TheLastTransformersTokensAreLaidOutAsPublished) {
  const Network network({.modalities = names(), .width = 0.015625});
  const std::int64_t width = 8;
  const at::Tensor tokens =
      at::arange(2048, at::kFloat).view({1, 2048, 1}).expand({1, 2048, width});
  const at::Tensor map = network.layout(tokens);
  ASSERT_EQ(map.sizes(), (at::IntArrayRef{1, 4 * width, 8, 8, 8}));
  const at::Tensor rows = map.flatten(2)[0];  // channels x voxels
  const auto expect_voxel = [&](std::int64_t voxel, float first) {
    for (std::int64_t k = 0; k < 4; ++k) {
      const at::Tensor part = rows.narrow(0, k * width, width).select(1, voxel);
      EXPECT_TRUE((part == first + static_cast<float>(k)).all().item<bool>()) << voxel << " " << k;
    }
  };
  expect_voxel(0, 0);
  expect_voxel(128, 512);
  expect_voxel(511, 3 * 512 + 508);
  // Aligned: voxel p has token p of every modality.
  const Network aligned({.modalities = names(), .width = 0.015625, .aligned_tokens = true});
  const at::Tensor other = aligned.layout(tokens).flatten(2)[0];
  for (std::int64_t k = 0; k < 4; ++k) {
    EXPECT_EQ(other[k * width][300].item<float>(), static_cast<float>(512 * k + 300));
  }
}

// Check 6, for each of the subsets; the networks are the same in training and evaluation but for
// dropout.
TEST_F(MmformerCard, AMissingModalityChangesNothing) {
  Method method = made();
  const torch::NoGradGuard no_grad;
  const at::Tensor image = batch({15}).image;
  const at::Tensor noise = torch::randn_like(image);
  for (SubsetMask subset = 1; subset < 16; ++subset) {
    at::Tensor other = image.clone();
    for (int m = 0; m < 4; ++m) {
      if (!data::contains(subset, m)) other.select(1, m).copy_(noise.select(1, m));
    }
    EXPECT_TRUE(at::equal(method.forward(image, subset), method.forward(other, subset)));
    if (subset % 5 != 0) continue;
    Batch one = batch({subset}), two = one;
    two.image = other;
    const Loss a = method.loss("train", one, {}), b = method.loss("train", two, {});
    EXPECT_TRUE(at::equal(a.output, b.output));
    // Images are sampled where no subset lacks them, so that forward() and training agree.
    EXPECT_LT((a.output - method.forward(one.image, subset)).abs().max().item<double>(), 1e-11);
  }
}

// Check 10: the separate outputs see no subset.
TEST_F(MmformerCard, SeparateOutputsDoNotDependOnTheSubset) {
  Method method = made();
  const auto sep = [&](SubsetMask subset) {
    const Loss loss = method.loss("train", batch({subset}), {});
    return loss.parts[2].second.item<double>() + loss.parts[3].second.item<double>();
  };
  EXPECT_EQ(sep(15), sep(1));
  method.loss("train", batch({3}), {}).total.backward();
  for (const auto& item : method.module().named_parameters()) {
    const bool unused = item.key().find("_decode_conv.") != std::string::npos &&
                        !item.key().starts_with("multimodal_");
    EXPECT_EQ(item.value().grad().defined(), !unused) << item.key();
  }
}

}  // namespace
}  // namespace lacuna::methods::mmformer
