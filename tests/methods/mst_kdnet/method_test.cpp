// What paper and published code of MST-KDNet fix, that are not losses (tests/losses), rates
// (tests/worker) or scores (tests/evaluation); on a narrow network where the width does not matter.
// The published code's numbers: mst_kdnet_parity_test.cpp.
#include "methods/mst_kdnet/method.h"

#include <cmath>
#include <map>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "losses/extreme_value_distillation.h"
#include "losses/region_targets.h"
#include "methods/exchange/comparison.h"
#include "tests/methods/incomplete_cases.h"

namespace lacuna::methods::mst_kdnet {
namespace {

constexpr SubsetMask kAll = 0b1111, kT1c = 0b0100;

std::unique_ptr<Method> make(const Json& options = Json::object(), double width = 0.0625,
                             std::optional<data::Extent> patch = data::Extent{32, 32, 64}) {
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
  batch.image = torch::rand({samples, 4, 32, 32, 64});
  batch.label = torch::randint(0, 4, {samples, 32, 32, 64}, at::kByte);
  batch.subsets = {std::vector<SubsetMask>(static_cast<std::size_t>(samples), subset)};
  for (std::int64_t n = 0; n < samples; ++n) {
    batch.sample_index.push_back(static_cast<std::uint64_t>(40 + n));
  }
  return batch;
}

std::map<std::string, at::Tensor> parts(const Loss& loss) {
  return {loss.parts.begin(), loss.parts.end()};
}

double value(const Loss& loss, const std::string& part) {
  return parts(loss).at(part).item<double>();
}

double gradient(Method& method, const std::string& parameter) {
  const auto& grad = method.module().named_parameters()[parameter].grad();
  return grad.defined() ? grad.norm().item<double>() : 0;
}

std::int64_t count(torch::nn::Module& module, const std::string& with = "") {
  std::int64_t total = 0;
  for (const auto& item : module.named_parameters()) {
    if (item.key().find(with) != std::string::npos) total += item.value().numel();
  }
  return total;
}

// Check 1, and the kernel of the discriminator's last convolution.
TEST(MstKdCard, HasThePublishedNumberOfParameters) {
  const auto method = make({}, 1, std::nullopt);
  EXPECT_EQ(count(method->student()), 154335684);
  EXPECT_EQ(count(method->student(), "Unetr."), 149557472);
  EXPECT_EQ(count(method->student()) - count(method->student(), "Unetr."), 4778212);
  EXPECT_EQ(count(method->student(), "transformer.layer.0."), 5513984);
  EXPECT_EQ(count(method->discriminator()), 3149249);
  EXPECT_EQ(count(method->module()), 311820617);
  EXPECT_EQ(method->student().named_parameters().size(), 403u);
  EXPECT_EQ(method->student().named_buffers().size(), 51u);
  EXPECT_EQ(method->module().named_parameters()["d_style.6.weight"].sizes(),
            (at::IntArrayRef{1, 256, 2, 3, 2}));
  EXPECT_EQ(method->recipe().patch, (data::Extent{160, 192, 128}));
  EXPECT_EQ(data::to_volume_order(method->recipe().patch, method->recipe().axes),
            (data::Extent{128, 160, 192}));  // axial slices, then the file's first two axes
}

// Check 2, on an eighth of the tokens and a quarter of the channels.
TEST(MstKdCard, ShapesAndAttentionAreThoseOfTheCard) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  const auto out = method->student().forward(torch::rand({1, 4, 32, 32, 64}), {});
  EXPECT_EQ(out.logit.sizes(), (at::IntArrayRef{1, 4, 32, 32, 64}));
  EXPECT_EQ(out.style.sizes(), (at::IntArrayRef{1, 64, 4, 4, 8}));
  EXPECT_EQ(out.content.sizes(), out.style.sizes());
  EXPECT_EQ(out.features[0].sizes(), (at::IntArrayRef{1, 4, 4, 4, 8}));
  EXPECT_EQ(out.features[1].sizes(), (at::IntArrayRef{1, 8, 8, 8, 16}));
  EXPECT_EQ(out.features[2].sizes(), (at::IntArrayRef{1, 16, 4, 4, 8}));
  EXPECT_EQ(out.features[3].sizes(), (at::IntArrayRef{1, 32, 2, 2, 4}));
  for (const at::Tensor& map : out.attention) {
    EXPECT_EQ(map.sizes(), (at::IntArrayRef{1, 12, 2, 2}));
    EXPECT_TRUE(torch::allclose(map.sum(-1), torch::ones({1, 12, 2})));
  }
  EXPECT_EQ(method->discriminator().forward(out.style).sizes(), (at::IntArrayRef{1, 1, 1, 1, 1}));
  EXPECT_THROW(method->forward(torch::rand({1, 4, 32, 32, 32}), kAll), ConfigError);
  EXPECT_THROW(make({}, 0.0625, data::Extent{32, 48, 32}), ConfigError);
}

// Check 9.
TEST(MstKdCard, EqualNetworksAgreeInEveryTerm) {
  const auto method = make({{"dropout", false}});
  {
    const torch::NoGradGuard no_grad;
    auto from = method->student().named_parameters();
    for (auto& item : method->teacher().named_parameters()) item.value().copy_(from[item.key()]);
  }
  const Loss loss = method->loss("joint", random_batch(kAll), {});
  for (const char* term : {"consistency", "content", "features", "attention", "gram"}) {
    EXPECT_EQ(value(loss, term), 0) << term;
  }
  EXPECT_LT(std::abs(value(loss, "logits")), 1e-6);
  EXPECT_EQ(value(loss, "dice_full"), value(loss, "dice_missing"));
}

// Check 10.
TEST(MstKdCard, TheAdversarialTermTeachesTheStudentAlone) {
  const auto method = make();
  {
    const torch::NoGradGuard no_grad;  // a discriminator that says 0 whatever it sees
    method->module().named_parameters()["d_style.6.weight"].zero_();
    method->module().named_parameters()["d_style.6.bias"].zero_();
  }
  const Loss undecided = method->loss("joint", random_batch(kT1c), {});
  EXPECT_NEAR(2e-4 * value(undecided, "adversarial"), 1.386294e-4, 1e-10);

  const auto trained = make();
  parts(trained->loss("joint", random_batch(kT1c), {})).at("adversarial").backward();
  EXPECT_GT(gradient(*trained, "model_missing.convc.weight"), 0);
  for (const auto& item : trained->teacher().named_parameters()) {
    EXPECT_FALSE(item.value().grad().defined()) << item.key();
  }
  const Comparison judged = compare_phase(*trained, "discriminator", random_batch(kT1c), {});
  for (const auto& [name, norm] : judged.gradients) {
    EXPECT_EQ(norm.has_value(), name.starts_with("d_style.")) << name;
  }
}

// The discriminator judges the styles of the joint phase, not those of networks that have moved.
TEST(MstKdMethodTest, TheDiscriminatorSeesTheStylesBeforeTheStep) {
  const auto method = make();
  const Batch batch = random_batch(kT1c);
  const double alone = method->loss("discriminator", batch, {}).total.item<double>();
  method->loss("joint", batch, {});
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : method->student().parameters()) parameter.mul_(0.5);
  }
  EXPECT_EQ(method->loss("discriminator", batch, {}).total.item<double>(), alone);
  EXPECT_NE(method->loss("discriminator", batch, {}).total.item<double>(), alone);
}

// Check 11.
TEST(MstKdCard, TheOfficialBackgroundTeachesTheStudentNothing) {
  for (const bool official : {true, false}) {
    const auto method = make({{"official", official}});
    const auto terms = parts(method->loss("joint", random_batch(kT1c), {}));
    (terms.at("dice_missing") + terms.at("consistency")).backward();
    const at::Tensor weight = method->module().named_parameters()["model_missing.up1conv.weight"];
    EXPECT_EQ(weight.grad()[3].norm().item<double>() == 0, official);
    EXPECT_GT(weight.grad()[2].norm().item<double>(), 0);
  }
}

// Check 13.
TEST(MstKdCard, LabelsBecomeChannels) {
  const auto label = torch::arange(5, at::kByte).view({1, 5, 1, 1});
  const auto target = [&](const Options& options) {
    return losses::region_targets(label, Method::channels(options), at::kFloat)[0]
        .flatten(1)
        .t()
        .contiguous();
  };
  EXPECT_TRUE(torch::equal(target({}), torch::tensor({{0., 0., 0., 1.},
                                                      {1., 0., 0., 0.},
                                                      {0., 1., 0., 0.},
                                                      {0., 0., 1., 0.},
                                                      {0., 0., 0., 0.}})
                                           .to(at::kFloat)));
  Options other;
  other.region_targets = other.resection = true;
  EXPECT_TRUE(torch::equal(target(other), torch::tensor({{0., 0., 0., 1., 0.},
                                                         {1., 1., 0., 0., 0.},
                                                         {1., 0., 0., 0., 0.},
                                                         {1., 1., 1., 0., 0.},
                                                         {0., 0., 0., 0., 1.}})
                                              .to(at::kFloat)));
}

TEST(MstKdMethodTest, ASamplesLossDoesNotDependOnItsBatch) {
  const auto method = make();
  Batch both = random_batch(kT1c, 2), first = both, second = both;
  for (const auto& [part, at] : {std::pair{&first, 0}, std::pair{&second, 1}}) {
    part->image = both.image.narrow(0, at, 1);
    part->label = both.label.narrow(0, at, 1);
    part->subsets = {{kT1c}};
    part->sample_index = {both.sample_index[static_cast<std::size_t>(at)]};
  }
  for (const char* phase : {"joint", "discriminator"}) {
    const Loss whole = method->loss(phase, both, {});
    const Loss one = method->loss(phase, first, {}), two = method->loss(phase, second, {});
    for (std::size_t i = 0; i < whole.parts.size(); ++i) {
      const double mean =
          (one.parts[i].second.item<double>() + two.parts[i].second.item<double>()) / 2;
      EXPECT_NEAR(whole.parts[i].second.item<double>(), mean, 1e-3 * std::abs(mean) + 1e-12)
          << whole.parts[i].first;
    }
  }
}

// The teacher would take what is not there for an image.
TEST(MstKdMethodTest, TheTeacherSeesCompleteCasesAlone) {
  const auto method = make({{"style_weight", 1}});
  const Batch both = random_batch(kT1c, 2);
  expect_complete_cases_teach_alone(*method, both, {"joint", "discriminator"},
                                    {"dice_missing", "adversarial", "missing"});
  for (auto& parameter : method->module().parameters()) parameter.set_requires_grad(true);
  Batch second = sample_of(both, 1);
  second.available = {0b0110};
  method->loss("joint", second, {}).total.backward();
  for (const auto& item : method->teacher().named_parameters()) {
    EXPECT_FALSE(item.value().grad().defined()) << item.key();
  }
  EXPECT_GT(gradient(*method, "model_missing.conv1a.weight"), 0);
}

// Paper, Eq. 5: sum over channels of the mean squared difference of logits.
TEST(MstKdMethodTest, ConsistencyComparesProbabilitiesOrLogits) {
  const torch::NoGradGuard no_grad;
  const Json plain = {{"dropout", false}},
             other = {{"dropout", false}, {"consistency_on", "logits"}};
  const auto ours = make(plain), paper = make(other);
  const Batch batch = random_batch(kT1c);
  const at::Tensor full = paper->teacher().forward(batch.image, {}).logit;
  at::Tensor masked = torch::zeros_like(batch.image);
  masked.select(1, 2).copy_(batch.image.select(1, 2));
  const at::Tensor missing = paper->student().forward(masked, {}).logit;
  const auto expected = [](const at::Tensor& a, const at::Tensor& b) {
    return (a - b).square().mean({0, 2, 3, 4}).sum().item<double>();
  };
  EXPECT_NEAR(value(paper->loss("joint", batch, {}), "consistency"), expected(full, missing), 1e-5);
  EXPECT_NEAR(value(ours->loss("joint", batch, {}), "consistency"),
              expected(full.sigmoid(), missing.sigmoid()), 1e-6);
}

TEST(MstKdMethodTest, AMissingModalityCannotChangeTheOutput) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  at::Tensor image = torch::rand({1, 4, 32, 32, 64});
  const auto before = method->forward(image, kT1c);
  image.select(1, 0).fill_(5);
  EXPECT_TRUE(torch::equal(method->forward(image, kT1c), before));
  EXPECT_FALSE(torch::equal(method->forward(image, kT1c | 1), before));
}

TEST(MstKdMethodTest, OfficialChoosesThePublishedRecipe) {
  const auto ours = make(), official = make({{"official", true}});
  const auto phases = [](const Method& method) { return method.stages(1000)[0].phases; };
  EXPECT_FALSE(phases(*ours)[0].trains[0].schedule.hold_end);
  EXPECT_TRUE(phases(*official)[0].trains[0].schedule.hold_end);
  EXPECT_FALSE(phases(*ours)[1].trains[0].optimizer.fresh_each_step);
  EXPECT_TRUE(phases(*official)[1].trains[0].optimizer.fresh_each_step);
  EXPECT_FALSE(ours->inference().centre_crop);
  EXPECT_TRUE(official->inference().centre_crop);
  EXPECT_TRUE(official->recipe().crop.exclude_last);
  const auto windows = make({{"official", true}, {"centre_crop", false}});
  EXPECT_FALSE(windows->inference().centre_crop);
  // Dropout in evaluation changes the output, and the same way every time.
  const torch::NoGradGuard no_grad;
  const auto image = torch::rand({1, 4, 32, 32, 64});
  const auto noisy = official->forward(image, kAll);
  EXPECT_TRUE(torch::equal(noisy, official->forward(image, kAll)));
  EXPECT_FALSE(torch::equal(noisy, ours->forward(image, kAll)));
}

// Two attention maps that differ by half of their value, over 4 and over 120 tokens.
TEST(MstKdMethodTest, TheAttentionTermWeighsTheSameAtEveryCrop) {
  const auto weighted = [](std::int64_t tokens, const Options& options) {
    const at::Tensor map = at::full({1, 12, tokens, tokens}, 1.0 / static_cast<double>(tokens));
    const std::vector<at::Tensor> teacher(4, map.to(at::kDouble)), student(4, map * 0.5);
    return attention_weight_for(tokens, options) *
           losses::extreme_value_distillation(teacher, student, options.extremes).item<double>();
  };
  // 12 terms of ((1 - 1/4) / 120^2)^2, times 1e8.
  EXPECT_NEAR(weighted(120, {}), 12 * 0.5625 * 1e8 / std::pow(120, 4), 1e-4);
  EXPECT_NEAR(weighted(4, {}), weighted(120, {}), 1e-4);
  Options official;
  official.official = true;
  EXPECT_EQ(attention_weight_for(4, official), 1e8);
  official.attention_weight = 3;
  EXPECT_EQ(attention_weight_for(4, official), 3);
}

TEST(MstKdMethodTest, TheVariantsOfTheCardTrain) {
  for (const Json& options :
       {Json{{"targets", "regions"}, {"resection", true}, {"style_weight", 1}},
        Json{{"extremes", "heads"}, {"gram", "mean"}, {"gram_weight", 0.1}},
        Json{{"gram_features", "paper"}, {"detach_teacher", true}},
        Json{{"shared_network", true}, {"adversarial_weight", 0}}}) {
    const auto method = make(options);
    const Loss loss = method->loss("joint", random_batch(kT1c), {});
    loss.total.backward();
    EXPECT_TRUE(std::isfinite(loss.total.item<double>())) << options;
    EXPECT_GT(gradient(*method, "model_missing.conv1a.weight"), 0) << options;
    EXPECT_EQ(method->module().named_parameters().contains("model_full.conv1a.weight"),
              !options.contains("shared_network"));
    EXPECT_EQ(method->stages(10)[0].phases.size(),
              options.contains("adversarial_weight") ? 1u : 2u);
  }
}

TEST(MstKdMethodTest, WithoutGradientsToTheTeacherItLearnsFromLabelsAlone) {
  const auto method = make({{"detach_teacher", true}});
  const auto terms = parts(method->loss("joint", random_batch(kT1c), {}));
  (terms.at("consistency") + terms.at("content") + terms.at("features") + terms.at("attention") +
   terms.at("logits") + terms.at("gram"))
      .backward();
  for (const auto& item : method->teacher().named_parameters()) {
    EXPECT_FALSE(item.value().grad().defined()) << item.key();
  }
}

// Every parameter that is trained learns something; the norm that is never applied is in no group.
TEST(MstKdMethodTest, EveryTrainedParameterHasAGradient) {
  const auto method = make();
  const auto groups = method->groups();
  for (const auto& [phase, group] : {std::pair{"joint", 0}, std::pair{"discriminator", 1}}) {
    const Comparison result = compare_phase(*method, phase, random_batch(kT1c), {});
    std::map<std::string, bool> learns;
    for (const auto& [name, norm] : result.gradients) learns[name] = norm.has_value();
    for (const auto& name : groups[static_cast<std::size_t>(group)].parameters) {
      EXPECT_TRUE(learns.at(name)) << name;
    }
  }
  EXPECT_EQ(groups[0].parameters.size(), 2u * (403 - 2));
  EXPECT_EQ(groups[1].parameters.size(), 8u);
}

}  // namespace
}  // namespace lacuna::methods::mst_kdnet
