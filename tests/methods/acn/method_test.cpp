// The checks of ACN's card, section 10, and what its pair of networks promises, on narrow networks
// where the width does not matter. The published code's numbers: parity_test.cpp.
#include "methods/acn/method.h"

#include <cmath>
#include <map>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "losses/adversarial.h"
#include "methods/exchange/comparison.h"
#include "tests/methods/incomplete_cases.h"

namespace lacuna::methods::acn {
namespace {

constexpr SubsetMask kAll = 0b1111, kT1c = 0b0100;
constexpr data::Extent kPatch{32, 32, 48};

std::unique_ptr<Method> make(const Json& options = Json::object(), double width = 0.0625,
                             std::optional<data::Extent> patch = kPatch) {
  MethodSettings settings;
  settings.width = width;
  settings.patch = patch;
  settings.options =
      Schema(binding().declared()).resolve(options.is_null() ? Json::object() : options, "test");
  torch::manual_seed(1);
  auto method = std::make_unique<Method>(settings);
  if (width < 1) method->initialise();
  return method;
}

Batch random_batch(SubsetMask subset, std::int64_t samples = 1) {
  Batch batch;
  torch::manual_seed(2);
  batch.image = torch::rand({samples, 4, kPatch[0], kPatch[1], kPatch[2]});
  batch.label = torch::randint(0, 4, {samples, kPatch[0], kPatch[1], kPatch[2]}, at::kByte);
  batch.subsets = {std::vector<SubsetMask>(static_cast<std::size_t>(samples), subset)};
  for (std::int64_t n = 0; n < samples; ++n) {
    batch.sample_index.push_back(40 + static_cast<std::uint64_t>(n));
  }
  return batch;
}

std::map<std::string, at::Tensor> parts(const Loss& loss) {
  return {loss.parts.begin(), loss.parts.end()};
}

std::int64_t count(torch::nn::Module& module, const std::string& with = "") {
  std::int64_t total = 0;
  for (const auto& item : module.named_parameters()) {
    if (item.key().find(with) != std::string::npos) total += item.value().numel();
  }
  return total;
}

// Check 1.
TEST(AcnCard, HasThePublishedNumberOfParameters) {
  const auto method = make({{"subset", "T1c"}}, 1, std::nullopt);
  EXPECT_EQ(count(method->full()), 9630136);
  EXPECT_EQ(count(method->missing()), 9628789);
  EXPECT_EQ(count(method->full(), "unet."), 4704228);
  EXPECT_EQ(count(method->missing(), "unet."), 4702932);
  EXPECT_EQ(count(method->full(), "vae_branch."), 4876628);
  EXPECT_EQ(count(method->missing(), "vae_branch."), 4876577);
  EXPECT_EQ(count(method->full(), "VID_branch."), 49280);
  EXPECT_EQ(count(method->judge_of_entropy()), 11060161);
  EXPECT_EQ(count(method->judge_of_features()), 4438273);
  EXPECT_EQ(method->full().named_parameters().size(), 160u);
  EXPECT_EQ(method->module().named_buffers().size(), 0u);
}

// Check 2, on a narrow network.
TEST(AcnCard, ShapesAreThoseOfTheCard) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  const Output out = method->full().forward(torch::rand({2, 4, 32, 32, 48}), {});
  EXPECT_EQ(out.logit.sizes(), (at::IntArrayRef{2, 4, 32, 32, 48}));
  EXPECT_EQ(out.features.sizes(), (at::IntArrayRef{2, 64, 4, 4, 6}));
  EXPECT_EQ(method->judge_of_entropy().forward(out.logit).sizes(),
            (at::IntArrayRef{2, 1, 1, 1, 1}));
  EXPECT_EQ(method->judge_of_features().forward(out.features).sizes(),
            (at::IntArrayRef{2, 1, 2, 2, 3}));
  const auto vae = method->full().vae().forward(out.dropped, {});
  EXPECT_EQ(vae.image.sizes(), (at::IntArrayRef{2, 4, 32, 32, 48}));
  EXPECT_EQ(vae.mu.sizes(), (at::IntArrayRef{2, 16}));
  EXPECT_THROW(make({}, 0.0625, data::Extent{24, 32, 32}), ConfigError);
}

// Check 4.
TEST(AcnCard, InformationAtTheInitialVariance) {
  const auto method = make();
  const at::Tensor scale = method->missing().regressor().log_scale.detach();
  EXPECT_NEAR((at::softplus(scale) + 1e-5).mean().item<double>(), 5, 1e-5);  // check 10
  const at::Tensor one = at::ones({1, 64, 2, 3, 4}), zero = at::zeros_like(one);
  EXPECT_NEAR(losses::variational_information(one, zero, scale).item<double>(), 0.9047190, 1e-6);
  EXPECT_NEAR(losses::variational_information(one, one, scale).item<double>(), 0.8047190, 1e-6);
}
TEST(AcnCard, OfficiallyTheFullNetworkDoesNotEnterInformation) {
  const auto information = [](const Json& options, double added) {
    const auto method = make(options);
    Batch batch = random_batch(kT1c);
    batch.image.select(1, 0).add_(added);  // seen by the full network alone
    return parts(method->loss("joint", batch, {})).at("information").item<double>();
  };
  EXPECT_EQ(information({{"official", true}}, 0), information({{"official", true}}, 0.5));
  EXPECT_NE(information(Json::object(), 0), information(Json::object(), 0.5));
}
TEST(AcnCard, TheTargetOfInformationIsDetachedUnlessAskedFor) {
  for (const auto& [target, moves] : {std::pair{"full", false}, std::pair{"full_attached", true}}) {
    const auto method = make({{"information_target", target}});
    parts(method->loss("joint", random_batch(kT1c), {})).at("information").backward();
    EXPECT_EQ(method->full().named_parameters()["unet.conv1a.weight"].grad().defined(), moves);
    EXPECT_TRUE(method->missing().named_parameters()["unet.conv1a.weight"].grad().defined());
  }
}

// Check 5.
TEST(AcnCard, EntropyMapsOfTheWorkedExamples) {
  const auto map = [](std::vector<double> logits) {
    return losses::entropy_map(at::tensor(logits, at::kDouble).view({1, 4, 1, 1, 1}),
                               losses::EntropyOf::kSoftmaxOfSigmoid)
        .flatten();
  };
  EXPECT_LT((map({1, 1, 1, 1}) - 0.25).abs().max().item<double>(), 1e-12);
  const at::Tensor one = map({-200, -200, -200, 200});  // sigmoids 0, 0, 0, 1
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(one[c].item<double>(), 0.2199596, 1e-7);
  EXPECT_NEAR(one[3].item<double>(), 0.2550074, 1e-7);
  EXPECT_NEAR(one.sum().item<double>(), 0.9148861, 1e-7);
}

// Check 6.
TEST(AcnCard, AnUndecidedDiscriminator) {
  const double half = losses::cross_entropy_to(at::zeros({1, 1, 2, 3, 4}), 0).item<double>();
  EXPECT_NEAR(1e-3 * half, 6.931472e-4, 1e-9);
  EXPECT_NEAR(2e-4 * half, 1.386294e-4, 1e-9);
}
TEST(AcnCard, TheAdversarialLossesReachTheMissingNetworkAlone) {
  for (const char* term : {"entropy", "feature"}) {
    const auto method = make();
    parts(method->loss("joint", random_batch(kT1c), {})).at(term).backward();
    for (const auto& item : method->full().named_parameters()) {
      EXPECT_FALSE(item.value().grad().defined()) << item.key();
    }
    EXPECT_GT(
        method->missing().named_parameters()["unet.conv1a.weight"].grad().norm().item<double>(), 0);
  }
}

// Check 7: what has no gradient is in no group, so that weight decay leaves it alone.
TEST(AcnCard, TheAutoEncoderAndTheFullRegressorAreNotTrained) {
  for (const bool with_vae : {false, true}) {
    // Row 3 has no gradient from the data; the adversary sees it, since the entropy maps are those
    // of a softmax over all four.
    const auto method = make({{"vae_weight", with_vae ? 0.1 : 0}, {"entropy_weight", 0}});
    std::map<std::string, bool> learns;
    const Comparison compared = compare_phase(*method, "joint", random_batch(kT1c), {});
    for (const auto& [name, norm] : compared.gradients) {
      learns[name] = norm.has_value();
    }
    std::map<std::string, bool> trained;
    const auto groups = method->groups();
    for (const auto& name : groups[0].parameters) trained[name] = true;
    for (const auto& [name, has_gradient] : learns) {
      if (!name.starts_with("d_")) {
        EXPECT_EQ(has_gradient, trained.contains(name)) << name;
      }
    }
    EXPECT_FALSE(trained.contains("model.VID_branch.log_scale"));
    EXPECT_EQ(trained.contains("model.vae_branch.mu_fc.weight"), with_vae);
    const at::Tensor gradient = method->missing().named_parameters()["unet.up1conv.weight"].grad();
    EXPECT_EQ(gradient.select(0, 3).abs().max().item<double>(), 0);
  }
}

// Check 9.
TEST(AcnCard, EqualNetworksAgree) {
  const auto method = make({{"dropout", false}});
  {
    const torch::NoGradGuard no_grad;
    auto from = method->missing().named_parameters();
    for (auto& item : method->full().named_parameters()) item.value().copy_(from[item.key()]);
  }
  EXPECT_EQ(parts(method->loss("joint", random_batch(kAll), {})).at("consistency").item<double>(),
            0);
}

// The network takes T1, T2, FLAIR, T1c.
TEST(AcnMethod, PublishedOrderOfModalities) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  at::Tensor image = torch::zeros({1, 4, 32, 32, 48});
  image.select(1, 1).fill_(1);  // T1 is the network's first channel
  at::Tensor own = torch::zeros_like(image);
  own.select(1, 0).fill_(1);
  EXPECT_TRUE(torch::equal(method->forward(image, kAll), method->missing().forward(own, {}).logit));
}

TEST(AcnMethod, AMissingModalityCannotChangeTheOutput) {
  const torch::NoGradGuard no_grad;
  for (const Json& options : {Json::object(), Json{{"subset", "T1c"}}}) {
    const auto method = make(options);
    at::Tensor image = torch::rand({1, 4, 32, 32, 48});
    const auto before = method->forward(image, kT1c);
    image.select(1, 0).fill_(5);
    EXPECT_TRUE(torch::equal(method->forward(image, kT1c), before));
    image.select(1, 2).fill_(5);
    EXPECT_FALSE(torch::equal(method->forward(image, kT1c), before));
  }
}

TEST(AcnMethod, DiscriminatorsLearnInGroupsOfTheirOwn) {
  const auto method = make();
  const Stage stage = method->stages(100)[0];
  ASSERT_EQ(stage.phases.size(), 2u);
  ASSERT_EQ(stage.phases[1].trains.size(), 2u);
  EXPECT_EQ(stage.phases[1].trains[0].optimizer.beta2, 0.99);
  EXPECT_EQ(stage.phases[1].trains[0].optimizer.weight_decay, 0);
  EXPECT_EQ(make({{"entropy_weight", 0}})->stages(100)[0].phases[1].trains.size(), 1u);
  EXPECT_EQ(make({{"entropy_weight", 0}, {"feature_weight", 0}})->stages(100)[0].phases.size(), 1u);
  const Comparison result = compare_phase(*method, "discriminator", random_batch(kT1c), {});
  for (const auto& [name, norm] : result.gradients) {
    EXPECT_EQ(norm.has_value(), name.starts_with("d_")) << name;
  }
}

// The full network would take what is not there for an image; both discriminators' parts hold the
// missing network's half.
TEST(AcnMethod, TheFullNetworkSeesCompleteCasesAlone) {
  const auto method = make({{"vae_weight", 0}});
  expect_complete_cases_teach_alone(*method, random_batch(kT1c, 2), {"joint", "discriminator"},
                                    {"dice_missing", "entropy", "feature"});
}

}  // namespace
}  // namespace lacuna::methods::acn
