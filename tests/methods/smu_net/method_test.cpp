// The checks of SMU-Net's card, section 10, and what the pair of networks promises, on narrow
// networks where the width does not matter. The published code's numbers: parity_test.cpp.
#include "methods/smu_net/method.h"

#include <cmath>
#include <map>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "losses/adversarial.h"
#include "losses/gram.h"
#include "losses/ramp.h"
#include "losses/squared_dice.h"
#include "methods/exchange/comparison.h"
#include "tests/methods/incomplete_cases.h"

namespace lacuna::methods::smu_net {
namespace {

constexpr SubsetMask kAll = 0b1111, kT1c = 0b0100, kFlairT2 = 0b1001;

std::unique_ptr<Method> make(const Json& options = Json::object(), double width = 0.0625,
                             std::optional<data::Extent> patch = data::Extent{16, 24, 32}) {
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
  batch.image = torch::rand({samples, 4, 16, 24, 32});
  batch.label = torch::randint(0, 4, {samples, 16, 24, 32}, at::kByte);
  batch.subsets = {std::vector<SubsetMask>(static_cast<std::size_t>(samples), subset)};
  for (std::int64_t n = 0; n < samples; ++n) {
    batch.sample_index.push_back(static_cast<std::uint64_t>(40 + n));
  }
  return batch;
}

double value(const Loss& loss, const std::string& part) {
  return std::map<std::string, at::Tensor>(loss.parts.begin(), loss.parts.end())
      .at(part)
      .item<double>();
}

std::int64_t count(torch::nn::Module& module) {
  std::int64_t total = 0;
  for (const auto& parameter : module.parameters()) total += parameter.numel();
  return total;
}

// Check 1.
TEST(SmuNetCard, HasThePublishedNumberOfParameters) {
  const auto zero_filled = make({}, 1, std::nullopt);
  EXPECT_EQ(count(zero_filled->full()), 4778212);
  EXPECT_EQ(count(zero_filled->missing()), 4778212);
  EXPECT_EQ(count(zero_filled->discriminator()), 3149249);
  EXPECT_EQ(zero_filled->full().named_parameters().size(), 116u);
  EXPECT_EQ(zero_filled->module().named_buffers().size(), 0u);
  const auto flair = make({{"subset", "FLAIR"}}, 1, std::nullopt);
  EXPECT_EQ(count(flair->missing()), 4776916);
  EXPECT_TRUE(flair->module().named_parameters().contains("model_missing.unet.conv1a.weight"));
  // Axial slices, then the file's first two axes.
  EXPECT_EQ(data::to_volume_order(flair->recipe().patch, flair->recipe().axes),
            (data::Extent{128, 160, 192}));
}

// Check 2, on a narrow network.
TEST(SmuNetCard, ShapesAreThoseOfTheCard) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  const auto out = method->full().forward(torch::rand({2, 4, 16, 24, 32}), {});
  EXPECT_EQ(out.logit.sizes(), (at::IntArrayRef{2, 4, 16, 24, 32}));
  EXPECT_EQ(out.content.sizes(), (at::IntArrayRef{2, 64, 2, 3, 4}));
  EXPECT_EQ(out.style.sizes(), out.content.sizes());
  EXPECT_EQ(method->discriminator().forward(out.style).sizes(), (at::IntArrayRef{2, 1, 1, 1, 1}));
  EXPECT_THROW(make({}, 0.0625, data::Extent{16, 20, 32}), ConfigError);
}

// Check 3.
TEST(SmuNetCard, DiceOfTheWorkedExample) {
  const at::Tensor p = at::tensor({.8, .4, .1, 0.}, at::kDouble).view({1, 1, 1, 2, 2});
  const at::Tensor y = at::tensor({1., 1., 0., 0.}, at::kDouble).view({1, 1, 1, 2, 2});
  EXPECT_NEAR(losses::squared_dice(p, y).item<double>(), 0.1459075, 1e-7);
  const at::Tensor q = p.clone().requires_grad_();
  const at::Tensor none = losses::squared_dice(q, at::zeros_like(y));
  none.backward();
  EXPECT_EQ(none.item<double>(), 1);
  EXPECT_EQ(q.grad().abs().max().item<double>(), 0);
}

// Check 4.
TEST(SmuNetCard, TheRampOfConsistency) {
  const std::map<int, double> published = {{0, 0.0673795},  {1, 0.1097100},  {5, 0.6005467},
                                           {10, 2.8650480}, {15, 7.3161563}, {20, 10},
                                           {99, 10}};
  for (const auto& [epoch, weight] : published) {
    EXPECT_NEAR(losses::gaussian_ramp(epoch, 20, 10), weight, 1e-7) << epoch;
  }
}

// Check 6: the worked example of the card, whose factor 1e-4 is inside.
TEST(SmuNetCard, GramOfTheWorkedExample) {
  const auto style = [](std::vector<double> rows) {
    return at::tensor(rows, at::kDouble).view({1, 2, 1, 1, 2});
  };
  const std::vector<at::Tensor> full = {style({1, 1, 0, 2})}, missing = {style({0, 1, 0, 2})};
  EXPECT_NEAR(losses::gram_matching(full, missing).item<double>(), 3.90625e-7, 1e-15);
}

// Check 7.
TEST(SmuNetCard, EqualNetworksAgreeInEveryTerm) {
  const auto method = make({{"dropout", false}});
  {
    const torch::NoGradGuard no_grad;
    auto from = method->missing().named_parameters();
    for (auto& item : method->full().named_parameters()) item.value().copy_(from[item.key()]);
  }
  const Loss loss = method->loss("joint", random_batch(kAll), {});
  for (const char* term : {"consistency", "content", "gram"}) EXPECT_EQ(value(loss, term), 0);
}

// Check 8.
TEST(SmuNetCard, AnUndecidedDiscriminator) {
  const at::Tensor undecided = at::zeros({1, 1, 1, 1, 1}, at::kDouble);
  EXPECT_NEAR(2e-4 * losses::cross_entropy_to(undecided, 0).item<double>(), 1.386294e-4, 1e-10);
  EXPECT_NEAR((losses::cross_entropy_to(undecided, 0) + losses::cross_entropy_to(undecided, 1))
                  .item<double>(),
              1.3862944, 1e-7);
}
TEST(SmuNetCard, TheAdversarialLossReachesTheMissingNetworkAlone) {
  const auto method = make();
  const Loss loss = method->loss("joint", random_batch(kT1c), {});
  for (const auto& [name, part] : loss.parts) {
    if (name == "adversarial") part.backward();
  }
  for (const auto& item : method->full().named_parameters()) {
    EXPECT_FALSE(item.value().grad().defined()) << item.key();
  }
  EXPECT_GT(method->missing().named_parameters()["convc.weight"].grad().norm().item<double>(), 0);
}

// Check 10: what nobody learns moves by weight decay alone.
TEST(SmuNetCard, TheBackgroundChannelHasNoGradient) {
  for (const bool learned : {false, true}) {
    const auto method = make({{"background", learned}});
    compare_phase(*method, "joint", random_batch(kT1c), {});
    for (auto* network : {&method->full(), &method->missing()}) {
      const at::Tensor gradient = network->named_parameters()["up1conv.weight"].grad();
      EXPECT_EQ(gradient.select(0, 3).abs().max().item<double>() > 0, learned);
      EXPECT_GT(gradient.select(0, 0).abs().max().item<double>(), 0);
    }
  }
}

TEST(SmuNetMethod, AMissingModalityCannotChangeTheOutput) {
  const torch::NoGradGuard no_grad;
  for (const char* subset : {"", "T1c"}) {
    const auto method = make(*subset ? Json{{"subset", subset}} : Json::object());
    at::Tensor image = torch::rand({1, 4, 16, 24, 32});
    const auto before = method->forward(image, kT1c);
    image.select(1, 0).fill_(5);
    EXPECT_TRUE(torch::equal(method->forward(image, kT1c), before));
    image.select(1, 2).fill_(5);
    EXPECT_FALSE(torch::equal(method->forward(image, kT1c), before));
  }
}

TEST(SmuNetMethod, ADedicatedNetworkServesItsSubsetAlone) {
  const auto method = make({{"subset", "flair+t2"}});
  EXPECT_EQ(method->serves(), kFlairT2);
  EXPECT_EQ(make()->serves(), std::nullopt);
  EXPECT_EQ(method->missing().named_parameters()["conv1a.weight"].size(1), 2);
  const Stage stage = method->stages(100)[0];
  EXPECT_EQ(stage.subsets["policy"], "fixed");
  EXPECT_EQ(stage.subsets["subset"], "FLAIR+T2");
  const torch::NoGradGuard no_grad;
  EXPECT_NO_THROW(method->forward(torch::rand({1, 4, 16, 24, 32}), kFlairT2));
  try {
    method->forward(torch::rand({1, 4, 16, 24, 32}), kT1c);
    FAIL() << "a subset that it was not made for";
  } catch (const ConfigError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("FLAIR+T2"), std::string::npos) << text;
    EXPECT_NE(text.find("T1c"), std::string::npos) << text;
  }
  EXPECT_THROW(make({{"subset", "PET"}}), ConfigError);
}

TEST(SmuNetMethod, LossesAreMeansOverSamples) {
  const auto method = make();
  const Batch both = random_batch(kT1c, 2);
  for (const char* phase : {"joint", "discriminator"}) {
    const Loss whole = method->loss(phase, both, {});
    std::map<std::string, double> mean;
    for (std::int64_t n = 0; n < 2; ++n) {
      Batch one = both;
      one.image = both.image.narrow(0, n, 1);
      one.label = both.label.narrow(0, n, 1);
      one.subsets = {{kT1c}};
      one.sample_index = {both.sample_index[static_cast<std::size_t>(n)]};
      const Loss judged = method->loss(phase, one, {});
      for (const auto& [name, part] : judged.parts) {
        mean[name] += part.item<double>() / 2;
      }
    }
    for (const auto& [name, part] : whole.parts) {
      EXPECT_NEAR(part.item<double>(), mean[name], 1e-4 * std::abs(mean[name])) << name;
    }
  }
}

// The full network would take what is not there for an image.
TEST(SmuNetMethod, TheFullNetworkSeesCompleteCasesAlone) {
  const auto method = make();
  expect_complete_cases_teach_alone(*method, random_batch(kT1c, 2), {"joint", "discriminator"},
                                    {"dice_missing", "adversarial", "missing"});
}

TEST(SmuNetMethod, OfficialChoosesThePublishedRecipe) {
  const auto ours = make(), official = make({{"official", true}});
  const auto trains = [](const Method& method, std::size_t phase) {
    return method.stages(1000)[0].phases[phase].trains[0];
  };
  EXPECT_FALSE(trains(*ours, 0).schedule.hold_end);
  EXPECT_TRUE(trains(*official, 0).schedule.hold_end);
  EXPECT_FALSE(trains(*ours, 1).optimizer.fresh_each_step);
  EXPECT_TRUE(trains(*official, 1).optimizer.fresh_each_step);
  EXPECT_TRUE(official->inference().centre_crop);
  EXPECT_TRUE(official->recipe().crop.exclude_last);
  EXPECT_FALSE(make({{"official", true}, {"centre_crop", false}})->inference().centre_crop);
  EXPECT_EQ(make({{"threshold", 0.4}})->inference().threshold, 0.4);
  EXPECT_EQ(make({{"adversarial_weight", 0}})->stages(10)[0].phases.size(), 1u);
  const torch::NoGradGuard no_grad;
  const auto image = torch::rand({1, 4, 16, 24, 32});
  const auto noisy = official->forward(image, kAll);
  EXPECT_TRUE(torch::equal(noisy, official->forward(image, kAll)));
  EXPECT_FALSE(torch::equal(noisy, ours->forward(image, kAll)));
}

TEST(SmuNetMethod, EveryTrainedParameterHasAGradient) {
  for (const Json& options : {Json::object(), Json{{"subset", "T1+T2"}, {"gram", "mean"}},
                              Json{{"targets", "regions"}}}) {
    const auto method = make(options);
    const SubsetMask subset = method->serves().value_or(kT1c);
    const auto groups = method->groups();
    for (const auto& [phase, group] : {std::pair{"joint", 0}, std::pair{"discriminator", 1}}) {
      std::map<std::string, bool> learns;
      const Comparison compared = compare_phase(*method, phase, random_batch(subset), {});
      for (const auto& [name, norm] : compared.gradients) {
        learns[name] = norm.has_value();
      }
      for (const auto& name : groups[static_cast<std::size_t>(group)].parameters) {
        EXPECT_TRUE(learns.at(name)) << name;
      }
    }
    EXPECT_EQ(groups[0].parameters.size(), 232u);
    EXPECT_EQ(groups[1].parameters.size(), 8u);
  }
}

}  // namespace
}  // namespace lacuna::methods::smu_net
