// What paper and published code of MCKD fix, on a narrow network where the width does not matter.
// Losses: tests/losses. The published code's numbers: mckd_parity_test.cpp.
#include "methods/mckd/method.h"

#include <cmath>
#include <set>

#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/optim/adam.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "methods/exchange/comparison.h"
#include "methods/mckd/importance_weights.h"
#include "methods/shared/missing_features.h"

namespace lacuna::methods::mckd {
namespace {

using Normalisation = ImportanceNormalisation;

constexpr SubsetMask kAll = 0b1111, kFlairT1c = 0b0101, kT1c = 0b0100;

Method make(const Json& options = Json::object(), double width = 0.0625) {
  MethodSettings settings;
  settings.width = width;
  settings.options =
      Schema(binding().declared()).resolve(options.is_null() ? Json::object() : options, "test");
  torch::manual_seed(1);
  Method method(settings);
  method.initialise();
  return method;
}

Batch random_batch(SubsetMask subset, std::int64_t samples = 1) {
  Batch batch;
  torch::manual_seed(2);
  batch.image = torch::randn({samples, 4, 32, 64, 64});
  batch.label = torch::randint(0, 4, {samples, 32, 64, 64}, at::kByte);
  batch.subsets = {std::vector<SubsetMask>(static_cast<std::size_t>(samples), subset)};
  return batch;
}

double part(const Loss& loss, const std::string& name) {
  for (const auto& [key, value] : loss.parts) {
    if (key == name) return value.item<double>();
  }
  throw std::runtime_error("no part " + name);
}

std::int64_t count(const torch::nn::Module& module) {
  std::int64_t total = 0;
  for (const auto& parameter : module.parameters()) total += parameter.numel();
  return total;
}

// Check 1.
TEST(MckdCard, HasThePublishedNumberOfParameters) {
  Method method = make({}, 1.0);
  EXPECT_EQ(count(method.network().encoder()), 35127872);
  EXPECT_EQ(count(method.network().decoder()), 8528800);
  EXPECT_EQ(count(method.module()), 43656672 + 4);
  EXPECT_EQ(method.module().parameters().size(), 222u);
  EXPECT_EQ(method.ignored_official_names(), std::vector<std::string>{"multihead_attn."});
}

// Check 2.
TEST(MckdCard, ImportanceRatiosAreConsistent) {
  const auto raw = torch::tensor({0.2, 0.1, 0.9, 0.4}, at::kDouble);
  const auto weights = importance(raw, Normalisation::kSoftmax);
  const auto ratio = importance_ratio(raw, Normalisation::kSoftmax);
  EXPECT_NEAR(weights.sum().item<double>(), 1, 1e-12);
  EXPECT_NEAR(ratio[2][0].item<double>(), 2.01375, 1e-5);
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      EXPECT_NEAR((ratio[i][j] * ratio[j][i]).item<double>(), 1, 1e-12);
      EXPECT_NEAR((ratio[i][j] * ratio[j][3]).item<double>(), ratio[i][3].item<double>(), 1e-12);
    }
  }
  EXPECT_TRUE(torch::allclose(importance(raw + 7, Normalisation::kSoftmax), weights));
  EXPECT_TRUE(torch::allclose(importance_ratio(raw + 7, Normalisation::kSoftmax), ratio));
}

// Check 3, first line.
TEST(MckdCard, SoftmaxOfTheWorkedExample) {
  const auto raw = torch::tensor({0.0, 0.0, std::log(2.0), 0.0}, at::kDouble);
  EXPECT_TRUE(torch::allclose(importance(raw, Normalisation::kSoftmax),
                              torch::tensor({0.2, 0.2, 0.4, 0.2}, at::kDouble)));
}

TEST(MckdImportance, OtherNormalisationsOfTheAblation) {
  const auto raw = torch::tensor({-1.0, 0.0, 2.0, 0.5}, at::kDouble);
  EXPECT_TRUE(torch::allclose(importance(raw, Normalisation::kRelu),
                              torch::tensor({0.0, 0.0, 2.0, 0.5}, at::kDouble)));
  EXPECT_NEAR(importance(raw, Normalisation::kSigmoid)[1].item<double>(), 0.5, 1e-12);
  // The ratio to a weight of zero has the floor 1e-6.
  EXPECT_NEAR(importance_ratio(raw, Normalisation::kRelu)[2][0].item<double>(), 2e6, 1e-3);
}

// Check 6.
TEST(MckdCard, LossIsDiceAndCrossEntropyWithoutAlphaOrPairs) {
  Method plain = make({{"alpha", 0}});
  const Loss without = plain.loss("train", random_batch(kAll), {});
  EXPECT_EQ(without.total.item<double>(),
            (without.parts[0].second + without.parts[1].second).item<double>());
  Method method = make();
  const Loss single = method.loss("train", random_batch(kT1c), {});
  EXPECT_EQ(part(single, "kd"), 0);
  EXPECT_EQ(single.total.item<double>(),
            (single.parts[0].second + single.parts[1].second).item<double>());
}

// Check 7.
TEST(MckdCard, AMissingSlotIsTheMeanOfTheAvailableOnes) {
  auto features = torch::tensor({1.0, 9.0, 5.0, 9.0}, at::kDouble).view({1, 4, 1}).requires_grad_();
  const auto filled = fill_with_mean(features, {kFlairT1c});
  EXPECT_TRUE(torch::equal(filled.flatten(), torch::tensor({1.0, 3.0, 5.0, 3.0}, at::kDouble)));
  EXPECT_TRUE(torch::equal(fill_with_mean(features, {kAll}), features));
  filled[0][1][0].backward();
  EXPECT_TRUE(
      torch::equal(features.grad().flatten(), torch::tensor({0.5, 0.0, 0.5, 0.0}, at::kDouble)));
}

// Check 9.
TEST(MckdCard, TheMetaPhaseMovesTheImportanceWeightsAlone) {
  Method method = make();
  const auto raw = method.network().raw_importance;
  const Comparison result = compare_phase(method, "meta", random_batch(kAll), {});
  EXPECT_NEAR(raw.grad().sum().item<double>(), 0, 1e-6);
  EXPECT_GT(raw.grad().abs().max().item<double>(), 0);
  const auto groups = method.groups();
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[1].parameters, std::vector<std::string>{"kd_weights.kd_weights"});
  EXPECT_EQ(groups[0].parameters.size(), 221u);
  const Phase meta = method.stages(115000)[0].phases[1];
  ASSERT_EQ(meta.trains.size(), 1u);
  EXPECT_EQ(meta.trains[0].group, groups[1].name);

  const auto before = raw.detach().clone();
  const auto gradient = raw.grad() + 5e-4 * before;
  torch::optim::Adam adam({raw}, torch::optim::AdamOptions(1e-2).weight_decay(5e-4));
  adam.step();
  EXPECT_TRUE(torch::allclose(raw.detach() - before, -0.01 * gradient.sign(), 1e-2));
}

// Check 4, last sentence, and check 10.
TEST(MckdCard, ImportanceWeightsNeitherLearnInTrainingNorTouchSegmentation) {
  Method method = make();
  const Comparison result = compare_phase(method, "train", random_batch(kFlairT1c), {});
  EXPECT_FALSE(method.network().raw_importance.grad().defined());
  const torch::NoGradGuard no_grad;
  const auto batch = random_batch(kFlairT1c);
  const auto logits = method.forward(batch.image, kFlairT1c);
  const Loss before = method.loss("train", batch, {});
  method.network().raw_importance.copy_(torch::tensor({3.0f, -2.0f, 0.5f, 1.0f}));
  EXPECT_TRUE(torch::equal(method.forward(batch.image, kFlairT1c), logits));
  const Loss after = method.loss("train", batch, {});
  EXPECT_EQ(part(before, "dice"), part(after, "dice"));
  EXPECT_EQ(part(before, "bce"), part(after, "bce"));
  EXPECT_NE(part(before, "kd"), part(after, "kd"));
}

// Check 12. Stage 2 starts at run step 79,999 (see stages()): a multiple of neither period.
TEST(MckdCard, MetaPhasesFallOnThePublishedSteps) {
  const auto stages = make().stages(115000);
  ASSERT_EQ(stages.size(), 2u);
  std::int64_t first = 0, updates = 0;
  std::vector<std::int64_t> phases;
  for (const Stage& stage : stages) {
    const Phase& meta = stage.phases[1];
    std::int64_t runs = 0;
    for (std::int64_t step = first; step < first + stage.steps; ++step) {
      runs += step % meta.period == 0;
    }
    phases.push_back(runs);
    updates += runs * meta.repeats;
    first += stage.steps;
  }
  EXPECT_EQ(first, 115000);
  EXPECT_EQ(phases, (std::vector<std::int64_t>{800, 70}));
  EXPECT_EQ(updates, 17400);
}

TEST(Mckd, EncodingOnceGivesTheForwardPassOfEverySubset) {
  for (const char* fill : {"zero", "mean"}) {
    Method method = make({{"skip_fill", fill}});
    const torch::NoGradGuard no_grad;
    const auto image = random_batch(kAll, 2).image;
    const auto subsets = data::ModalitySet({"a", "b", "c", "d"}).subsets();
    const auto decoded = method.decode(method.encode(image), subsets);
    for (std::size_t s = 0; s < subsets.size(); ++s) {
      const auto expected = method.forward(image, subsets[s]);
      EXPECT_LT((decoded[static_cast<std::int64_t>(s)] - expected).abs().max().item<double>(),
                1e-3 * expected.std().item<double>())
          << fill << " subset " << subsets[s];
    }
  }
}

TEST(Mckd, AnAbsentModalityCannotChangeTheOutput) {
  Method method = make();
  const torch::NoGradGuard no_grad;
  auto image = random_batch(kAll).image;
  const auto before = method.forward(image, kFlairT1c);
  image.select(1, 1).add_(100);
  image.select(1, 3).zero_();
  EXPECT_TRUE(torch::equal(method.forward(image, kFlairT1c), before));
}

TEST(Mckd, SamplesOfABatchAreIndependent) {
  Method method = make();
  const torch::NoGradGuard no_grad;
  const auto image = random_batch(kAll, 2).image;
  const auto both = method.forward(image, kT1c);
  const auto first = method.forward(image.narrow(0, 0, 1), kT1c);
  EXPECT_LT((both.narrow(0, 0, 1) - first).abs().max().item<double>(), 1e-3);
}

TEST(Mckd, TheNetworkNamesTheSizesThatItTakes) {
  Method method = make();
  try {
    method.forward(torch::zeros({1, 4, 20, 32, 32}), kAll);
    FAIL() << "a depth of 20 was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("16"), std::string::npos) << error.what();
  }
}

TEST(MckdOptions, EachOptionChangesWhatItSays) {
  const auto batch = random_batch(kFlairT1c);
  const auto loss_of = [&](const Json& options, const char* phase) {
    Method method = make(options);
    const torch::NoGradGuard no_grad;
    return method.loss(phase, batch, {}).total.item<double>();
  };
  const double train = loss_of({}, "train"), meta = loss_of({}, "meta");
  EXPECT_NE(loss_of({{"alpha", 1.0}}, "train"), train);
  EXPECT_NE(loss_of({{"distance", "mse"}}, "train"), train);
  EXPECT_NE(loss_of({{"skip_fill", "mean"}}, "train"), train);
  EXPECT_NE(loss_of({{"normalisation", "sigmoid"}}, "train"), train);
  EXPECT_NE(loss_of({{"meta_fill", "mean"}}, "meta"), meta);
  EXPECT_EQ(loss_of({{"meta_fill", "mean"}}, "train"), train);

  const auto gradient_of = [&](const Json& options) {
    Method method = make(options);
    compare_phase(method, "train", batch, {});
    return method.module().parameters()[0].grad().clone();
  };
  EXPECT_FALSE(torch::equal(gradient_of({}), gradient_of({{"ckd_detach", false}})));

  const auto stages = make({{"warm_up", false}}).stages(1000);
  ASSERT_EQ(stages.size(), 1u);
  EXPECT_EQ(stages[0].subsets["policy"], "cardinality");
  const auto cosine = make({{"schedule", "cosine"}}).stages(1000);
  EXPECT_EQ(cosine[1].phases[0].trains[0].schedule.kind, ScheduleSpec::Kind::kCosine);
  EXPECT_EQ(cosine[1].phases[0].trains[0].schedule.horizon, 1000);
  const auto decay = make({{"importance_weight_decay", 5e-5}}).stages(1000);
  EXPECT_EQ(decay[0].phases[1].trains[0].optimizer.weight_decay, 5e-5);
}

// Without the stage of all modalities the first step may meet a zero image (ImageRows::settle).
TEST(Mckd, AFreshNetworkTakesItsFirstStepWithMissingModalities) {
  Method method = make();
  for (const char* phase : {"train", "meta"}) {
    const Comparison comparison = compare_phase(method, phase, random_batch(kFlairT1c), {});
    for (const auto& [name, gradient] : comparison.gradients) {
      EXPECT_LT(gradient.value_or(0), 1e6) << name;  // not a number is not less
    }
  }
}

TEST(MckdOptions, TheRecipeIsThatOfTheShaSpecCodeBase) {
  EXPECT_DOUBLE_EQ(make().recipe().crop.centred_probability, 3.0 / 8);
  EXPECT_DOUBLE_EQ(make({{"centre_choices", 3}}).recipe().crop.centred_probability, 1.0 / 2);
  EXPECT_TRUE(make({{"interpolation", "cubic"}}).recipe().augmentation.cubic);
  EXPECT_EQ(make().inference().window, InferenceRecipe::Window::kUniform);
  EXPECT_EQ(make({{"blending", "gaussian"}}).inference().window,
            InferenceRecipe::Window::kGaussian);
  EXPECT_TRUE(make().inference().relabelled.empty());
  EXPECT_EQ(make({{"et_min", 20}}).inference().relabelled.at(0).minimum, 20);
  const Method official = make({{"official", true}});
  EXPECT_EQ(official.inference().relabelled.at(0).minimum, 500);
  EXPECT_TRUE(make({{"official", true}, {"et_min", 0}}).inference().relabelled.empty());
}

// Where no activation changes sign, the gradient follows a change of the weights: constant maps,
// as a zero image leaves them, are normalised exactly, or the smallest change would be blown up.
// (In float, rounding moves a few of millions of activations over the kink, and each that crosses
// it moves the gradient by 1e-3: docs/methods/mckd.md.)
TEST(Mckd, InDoubleTheGradientFollowsASmallChangeOfTheWeights) {
  const auto gradient = [](double change) {
    Method method = make({{"alpha", 0.1}}, 0.0625);
    method.module().to(at::kDouble);
    torch::manual_seed(3);
    for (auto& parameter : method.module().parameters()) {
      const torch::NoGradGuard no_grad;
      if (parameter.dim() == 1) parameter.add_(0.01 * torch::randn_like(parameter));
      parameter.mul_(1 + change * torch::randn_like(parameter));
    }
    Batch batch = random_batch(0b0010, 2);
    batch.image = batch.image.to(at::kDouble);
    compare_phase(method, "train", batch, {});
    std::vector<at::Tensor> all;
    for (const auto& parameter : method.module().parameters()) {
      if (parameter.grad().defined()) all.push_back(parameter.grad().flatten());
    }
    return torch::cat(all);
  };
  const at::Tensor before = gradient(0), after = gradient(1e-13);
  const double relative = ((after - before).norm() / before.norm()).item<double>();
  EXPECT_GT(relative, 1e-16);
  EXPECT_LT(relative, 1e-8);
}

TEST(MckdOptions, StoredWeightsAreNormalisedAfterEachMetaPhase) {
  Method method = make({{"store_normalised", true}});
  const torch::NoGradGuard no_grad;
  const auto raw = method.network().raw_importance;
  EXPECT_NEAR(raw.sum().item<double>(), 1, 1e-6);
  raw.copy_(torch::tensor({1.0f, 2.0f, 3.0f, 4.0f}));
  method.end_step({});
  EXPECT_EQ(raw[3].item<double>(), 4);  // no meta phase ran in this step
  method.end_phase("meta", {});
  EXPECT_NEAR(raw.sum().item<double>(), 1, 1e-6);
}

TEST(MckdOptions, OfficialTakesThePublishedChoicesAndAKeyThatIsGivenWins) {
  EXPECT_FALSE(make().recipe().augmentation.cubic);
  EXPECT_TRUE(make({{"official", true}}).recipe().augmentation.cubic);
  const auto batch = random_batch(kFlairT1c);
  const torch::NoGradGuard no_grad;
  const auto kd_of = [&](const Json& options) {
    return make(options).loss("train", batch, {}).parts.back().second.item<double>();
  };
  EXPECT_EQ(kd_of({{"official", true}, {"distance", "mse"}}), kd_of({{"distance", "mse"}}));
}

}  // namespace
}  // namespace lacuna::methods::mckd
