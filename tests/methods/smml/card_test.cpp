// The checks of the SMML card, section 10, that need no published weights (4 to 8, the losses
// between the networks, are in tests/losses/mutual_losses_test.cpp; several ranks in tests/worker).
#include <map>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "data/sampling/subset_policy.h"
#include "methods/smml/method.h"

namespace lacuna::methods::smml {
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
TEST(SmmlCardParameters, AreThoseOfTheCode) {
  const Network four({.modalities = names(), .classes = 4});
  EXPECT_EQ(count(four), 39'408'836);
  EXPECT_EQ(count(four, "unet3d."), 2'685'540);
  EXPECT_EQ(count(four, "sam_weight_fuse."), 68'880);
  EXPECT_EQ(four.named_parameters().size(), 348u);
  EXPECT_EQ(four.named_buffers().size(), 21u);
  const Network five({.modalities = names(), .classes = 5});
  EXPECT_EQ(count(five), 39'430'671);
  EXPECT_EQ(count(five, "unet3d."), 2'689'893);
  EXPECT_EQ(count(five, "sam_weight_fuse."), 86'100);
}

TEST(SmmlCardParameters, MethodHasBothNetworks) {
  MethodSettings settings;
  settings.options = Schema(binding().declared()).resolve(Json::object(), "test");
  EXPECT_EQ(count(Method(settings).module()), 78'817'672);
  settings.options = Schema(binding().declared()).resolve({{"dual", false}}, "test");
  EXPECT_EQ(count(Method(settings).module()), 39'408'836);
}

constexpr data::Extent kExtent{32, 48, 32};

class SmmlCard : public ::testing::Test {
 protected:
  // Narrow, in double, with random weights.
  static std::unique_ptr<Method> made(const Json& options = Json::object()) {
    torch::manual_seed(4);
    MethodSettings settings;
    settings.width = 0.0625;
    settings.patch = kExtent;
    settings.options = Schema(binding().declared()).resolve(options, "test");
    auto method = std::make_unique<Method>(settings);
    method->initialise();
    method->module().to(at::kDouble);
    return method;
  }
  static Batch batch(std::vector<SubsetMask> first, std::vector<SubsetMask> second,
                     bool maps = true) {
    torch::manual_seed(5);
    const auto samples = static_cast<std::int64_t>(first.size());
    const auto [d, h, w] = kExtent;
    Batch made;
    made.image = torch::randn({samples, 4, d, h, w}, at::kDouble);
    made.label = torch::randint(0, 4, {samples, d, h, w}).to(at::kByte);
    made.subsets = {std::move(first), std::move(second)};
    if (maps) made.extras["sam"] = torch::randint(0, 4, {samples, 4, d, h, w}).to(at::kByte);
    return made;
  }
  static double part_of(const Loss& loss, const std::string& name) {
    for (const auto& [own, value] : loss.parts) {
      if (own == name) return value.item<double>();
    }
    ADD_FAILURE() << name;
    return 0;
  }
  static at::Tensor part(const Loss& loss, const std::string& name) {
    for (const auto& [own, value] : loss.parts) {
      if (own == name) return value;
    }
    return {};
  }
  // Sum of the gradients' sizes of the parameters that `wanted` takes.
  template <typename Wanted>
  static double moved(Method& method, const at::Tensor& value, const Wanted& wanted) {
    method.module().zero_grad();
    value.backward({}, /*retain_graph=*/true);
    double sum = 0;
    for (const auto& item : method.module().named_parameters()) {
      const at::Tensor& grad = item.value().grad();
      if (wanted(item.key()) && grad.defined()) sum += grad.abs().sum().item<double>();
    }
    return sum;
  }
};

bool is_refinement(const std::string& name) {
  return name.find("unet3d.") != std::string::npos ||
         name.find("sam_weight_fuse.") != std::string::npos;
}

// Check 2.
TEST_F(SmmlCard, OutputsHaveTheirShapes) {
  const auto method = made();
  const torch::NoGradGuard no_grad;
  const Batch given = batch({15, 3}, {5, 8});
  const at::Tensor mask = torch::ones({2, 4}, at::kDouble);
  const auto out = method->network(0).train(given.image, mask, std::vector<models::ForwardMode>(5));
  EXPECT_EQ(out.fused.logits.sizes(), (at::IntArrayRef{2, 4, 32, 48, 32}));
  EXPECT_EQ(out.fused.bottleneck.sizes(), (at::IntArrayRef{2, 32, 2, 3, 2}));  // 512 at width 1
  EXPECT_EQ(out.separate.size(), 4u);
  EXPECT_EQ(out.fused.deep.size(), 4u);
  const at::Tensor masks =
      masks_of_labels(given.extras.at("sam"), 4, at::kDouble, /*background=*/true);
  EXPECT_EQ(method->network(0).refine(masks, mask, masks.select(1, 0), out.fused.logits).sizes(),
            (at::IntArrayRef{2, 4, 32, 48, 32}));
  EXPECT_EQ(method->forward(given.image, 5).sizes(), (at::IntArrayRef{2, 4, 32, 48, 32}));
}

// Check 3.
TEST_F(SmmlCard, TwoDifferentSubsetsAreDrawnUniformly) {
  const auto method = made();
  const auto policy = data::make_subset_policy(method->stages(10).at(0).subsets,
                                               data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}));
  std::map<SubsetMask, int> first, second;
  for (std::uint64_t n = 0; n < 10'000; ++n) {
    const auto drawn = policy->draw({1, n, 0, 10}, 15, method->recipe().draws);
    ASSERT_EQ(drawn.size(), 2u);
    EXPECT_NE(drawn[0], drawn[1]);
    ++first[drawn[0]];
    ++second[drawn[1]];
  }
  for (SubsetMask subset = 1; subset <= 15; ++subset) {
    EXPECT_NEAR(first[subset] / 1e4, 1 / 15., 0.01) << subset;
    EXPECT_NEAR(second[subset] / 1e4, 1 / 15., 0.01) << subset;
  }
}

// Check 9, first half: each network's losses move it alone; the refined output's own losses move
// the refinement alone, its divergence from the main one both.
TEST_F(SmmlCard, EachLossMovesWhatItShall) {
  const auto method = made({{"start_epoch", 0}});
  const Loss loss = method->loss("train", batch({3}, {8}), {});
  const auto of = [&](const char* network, bool refinement) {
    return [=](const std::string& name) {
      return name.starts_with(network) && is_refinement(name) == refinement;
    };
  };
  const auto all_of = [&](const char* network) {
    return [=](const std::string& name) { return name.starts_with(network); };
  };
  for (const char* own : {"model1", "model2"}) {
    const char* other = own == std::string("model1") ? "model2" : "model1";
    for (const char* name : {"_pixel", "_prototype", "_refinement"}) {
      SCOPED_TRACE(std::string(own) + name);
      const at::Tensor value = part(loss, std::string(own) + name);
      EXPECT_GT(moved(*method, value, all_of(own)), 0);
      EXPECT_EQ(moved(*method, value, all_of(other)), 0);
    }
    for (const char* name : {"_sam_cross", "_sam_dice"}) {
      EXPECT_EQ(moved(*method, part(loss, std::string(own) + name), of(own, false)), 0);
    }
    const at::Tensor refinement = part(loss, std::string(own) + "_refinement");
    EXPECT_GT(moved(*method, refinement, of(own, false)), 0);
    EXPECT_GT(moved(*method, refinement, of(own, true)), 0);
    EXPECT_EQ(moved(*method, part(loss, std::string(own) + "_pixel"), of(own, true)), 0);
  }
  const auto stopped = made({{"start_epoch", 0}, {"stop_at_refined", true}});
  const Loss other = stopped->loss("train", batch({3}, {8}), {});
  EXPECT_EQ(moved(*stopped, part(other, "model1_refinement"), of("model1", true)), 0);
  EXPECT_EQ(part_of(other, "model1_refinement"), part_of(loss, "model1_refinement"));
}

// Check 9, second half: one backward pass of the sum leaves in each network the gradient of its own
// loss alone, so that one Adam, whose steps belong to tensors, steps as two do.
TEST_F(SmmlCard, OneBackwardPassIsThatOfTwoOptimisers) {
  const auto method = made({{"start_epoch", 0}});
  const Loss loss = method->loss("train", batch({3}, {8}), {});
  method->module().zero_grad();
  loss.total.backward({}, /*retain_graph=*/true);
  std::map<std::string, at::Tensor> together;
  for (const auto& item : method->module().named_parameters()) {
    if (item.value().grad().defined()) together[item.key()] = item.value().grad().clone();
  }
  double sum = 0;
  for (const char* own : {"model1", "model2"}) {
    at::Tensor mine;
    for (const auto& [name, value] : loss.parts) {
      if (name.starts_with(own)) mine = mine.defined() ? mine + value : value;
    }
    sum += mine.item<double>();
    method->module().zero_grad();
    mine.backward({}, /*retain_graph=*/true);
    for (const auto& item : method->module().named_parameters()) {
      if (!item.key().starts_with(own) || !item.value().grad().defined()) continue;
      EXPECT_TRUE(at::allclose(item.value().grad(), together.at(item.key()), 1e-9, 1e-12))
          << item.key();
    }
  }
  EXPECT_NEAR(loss.total.item<double>(), sum, 1e-10);
}

// Check 10: an array of 10 class + modality, class-major.
TEST(SmmlCardMasks, GoFromClassMajorToModalityMajorAndVanishWithTheirModality) {
  at::Tensor values = torch::zeros({1, 16, 1, 1, 2}, at::kDouble);
  for (int c = 0; c < 4; ++c) {
    for (int m = 0; m < 4; ++m) values[0][4 * c + m] = 10 * c + m;
  }
  const at::Tensor mask = torch::tensor({1., 0., 1., 1.}, at::kDouble).view({1, 4});
  const at::Tensor masks = masks_of_subset(masks_of_array(values, 4), mask).flatten(1, 2);
  for (int m = 0; m < 4; ++m) {
    for (int c = 0; c < 4; ++c) {
      EXPECT_EQ(masks[0][4 * m + c][0][0][1].item<double>(), m == 1 ? 0 : 10 * c + m);
    }
  }
}

// Check 11.
TEST_F(SmmlCard, TeachingStartsInThe102ndEpoch) {
  const auto method = made();
  const torch::NoGradGuard no_grad;
  const Batch given = batch({3}, {8});
  const auto late = [&](std::int64_t step, std::int64_t steps) {
    const Loss loss = method->loss("train", given, {.steps = steps, .stage_step = step});
    double early = 0, all = 0;
    for (const auto& [name, value] : loss.parts) {
      all += value.item<double>();
      if (!name.ends_with("_pixel") && !name.ends_with("_refinement")) {
        early += value.item<double>();
      }
    }
    EXPECT_GT(all, early);
    const double total = loss.total.item<double>();
    EXPECT_TRUE(std::abs(total - all) < 1e-9 || std::abs(total - early) < 1e-9);
    return std::abs(total - all) < 1e-9;
  };
  EXPECT_FALSE(late(0, 100'000));
  EXPECT_FALSE(late(10'099, 100'000));
  EXPECT_TRUE(late(10'100, 100'000));
  EXPECT_TRUE(late(99'999, 100'000));
}

// Check 12.
TEST_F(SmmlCard, TwoEqualNetworksAreOne) {
  const auto method = made();
  const torch::NoGradGuard no_grad;
  auto named = method->module().named_parameters();
  for (auto& item : named) {
    if (item.key().starts_with("model2.")) {
      item.value().copy_(named["model1." + item.key().substr(7)]);
    }
  }
  const Batch given = batch({3}, {8});
  const ModalityOrder order(data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}), rfnet_order());
  const at::Tensor alone =
      method->network(0).segment(order.image(given.image), order.present(0b0101));
  EXPECT_TRUE(at::equal(method->forward(given.image, 0b0101), alone));
  EXPECT_FALSE(method->inference().blend_probabilities);
  EXPECT_TRUE(made({{"average", "probabilities"}})->inference().blend_probabilities);
}

}  // namespace
}  // namespace lacuna::methods::smml
