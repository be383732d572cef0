// DeMoSeg against the published code: logits of every level, orders of channels, slots of all 15
// subsets, losses and gradient norms for weights and inputs that a formula makes
// (tests/parity/README.md). Channels come as T1, T1c, T2, FLAIR.
#include "tests/methods/parity.h"

#include <memory>

#include <gtest/gtest.h>

#include "methods/demoseg/method.h"

namespace lacuna::methods::demoseg {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors read("demoseg");
  return read;
}

// One for all tests; its values are float, so the type changes back and forth.
Method& filled(at::ScalarType type) {
  static std::unique_ptr<Method> made;
  if (!made) {
    MethodSettings settings;
    settings.options = Schema(binding().declared()).resolve(Json::object(), "test");
    made = std::make_unique<Method>(settings);
    fill_weights(*made, 1);
  }
  for (auto& parameter : made->module().parameters()) parameter.mutable_grad() = at::Tensor();
  made->module().to(type);
  return *made;
}

// Of subset names, bit j for channel j of the published order.
SubsetMask present_of(const Json& names) {
  static const data::ModalitySet published({"T1", "T1c", "T2", "FLAIR"});
  SubsetMask mask = 0;
  for (const Json& name : names) mask |= SubsetMask{1} << published.index(name.get<std::string>());
  return mask;
}

void expect_equal(const at::Tensor& tensor, const Json& stated, double tolerance, bool wide) {
  SCOPED_TRACE(stated["what"].get<std::string>());
  expect_moments(tensor, stated, wide ? 1e-9 : 2e-4);
  EXPECT_LT(vectors().sample_error(tensor, stated), wide ? 1e-6 : tolerance);
}

TEST(DemosegParity, WeightsAreThoseOfTheFillFormula) {
  expect_filled_weights(filled(at::kFloat), vectors());
}

// In float a pair of gates that differ by 1e-7 may change places, which the vectors state: their
// cases with a wider gap are compared there.
TEST(DemosegParity, LogitsOfSubsetsAgree) {
  const torch::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    Method& method = filled(type);
    const bool wide = type == at::kDouble;
    for (const char* name : {"eval_FLAIR+T1+T1c+T2", "eval_FLAIR", "eval_T1c+T2", "eval_T1"}) {
      SCOPED_TRACE(name);
      const Json& example = vectors().named(name);
      if (!wide && example["min_gate_gap"].get<double>() < 1e-6) continue;
      const at::Tensor image = vectors().input(example, type);
      const SubsetMask present = present_of(example["available"]);
      const Branches branches = method.network().branches(image, present);
      const at::Tensor slots = lend(branches.sorted, {present}, 4);
      const auto logits = method.network().trunk(slots, /*coarse=*/true);
      ASSERT_EQ(logits.size(), 5u);
      for (std::size_t level = 0; level < 5; ++level) {
        expect_equal(logits[level], example["outputs"][level], float_tolerance(example), wide);
      }
      for (const Json& stated : example["intermediates"]) {
        const auto what = stated["what"].get<std::string>();
        if (what == "output of conv_blocks_context.0") {
          expect_equal(slots, stated, 2e-4, wide);
        } else if (what == "output of conv_blocks_context.0.t1_conv") {
          expect_equal(branches.own[0], stated, 2e-4, wide);
        } else if (what == "output of conv_blocks_context.0.t2flare_csa") {
          expect_equal(branches.sorted[3], stated, 2e-4, wide);
        }
      }
      const at::Tensor whole =
          method.forward(from_published_channels(method, image), subset_of(example));
      EXPECT_TRUE(at::equal(whole, logits[0]));
    }
  }
}

TEST(DemosegParity, SlotsOfAllSubsetsAgree) {
  const torch::NoGradGuard no_grad;
  const Json& example = vectors().named("slots_of_all_subsets");
  const Branches branches =
      filled(at::kDouble).network().branches(vectors().input(example, at::kDouble), 0b1111);
  std::size_t rows = 0;
  for (const Json& row : example["rows"]) {
    SCOPED_TRACE(row["available"].dump());
    const at::Tensor slots = lend(branches.sorted, {present_of(row["available"])}, 4);
    for (std::int64_t j = 0; j < 4; ++j) {
      const at::Tensor slot = slots.narrow(1, 8 * j, 8);
      const auto at = static_cast<std::size_t>(j);
      EXPECT_NEAR(slot.mean().item<double>(), row["slot_means"][at], 1e-9);
      EXPECT_NEAR(slot.std(/*unbiased=*/false).item<double>(), row["slot_stds"][at], 1e-9);
    }
    ++rows;
  }
  EXPECT_EQ(rows, 15u);
}

// The order of every sort block of level 1, in both directions.
TEST(DemosegParity, OrdersOfChannelsAgree) {
  const torch::NoGradGuard no_grad;
  const Json& example = vectors().named("eval_FLAIR+T1+T1c+T2");
  Method& method = filled(at::kDouble);
  const Branches branches =
      method.network().branches(vectors().input(example, at::kDouble), 0b1111);
  const std::vector<std::string> names = {"t1", "t1ce", "t2", "t2flare"};
  for (std::size_t m = 0; m < names.size(); ++m) {
    const std::string block = "conv_blocks_context.0." + names[m] + "_csa";
    const auto order = example["channel_order"][block + ".conv"].get<std::vector<std::int64_t>>();
    at::Tensor taken;
    EXPECT_TRUE(at::equal(method.network().sort_of(m).forward(branches.own[m], &taken),
                          branches.sorted[m]));
    EXPECT_TRUE(at::equal(taken[0], at::tensor(order, at::kLong))) << block;
  }
}

TEST(DemosegParity, LossesAndEveryGradientAgree) {
  for (const char* name : {"train_batch2", "train_all"}) {
    SCOPED_TRACE(name);
    const Json& example = vectors().named(name);
    for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
      const bool wide = type == at::kDouble;
      // A swapped pair of channels changes every norm in float.
      Method& method = filled(type);
      Batch batch = parity_batch(vectors(), example, method, type);
      if (example["input_shape"][0] == 1) {  // sample 0 of the batch of two
        Json both = example;
        both["input_shape"][0] = 2;
        batch.image = from_published_channels(method, vectors().input(both, type)).narrow(0, 0, 1);
        batch.label = fill_label({2, 32, 64, 64}, 1).narrow(0, 0, 1);
      }
      if (!wide) {
        const Comparison result = losses_of(method, "train", batch);
        expect_losses(result, example, 2e-2);
        continue;
      }
      const Comparison result = compare_phase(method, "train", batch, {});
      expect_losses(result, example, 1e-9);
      expect_equal(result.output, example["outputs"][0], 0, wide);
      std::size_t compared = 0;
      for (const auto& [parameter, norm] : result.gradients) {
        const Json& published = example["gradients"].at(parameter);
        ASSERT_EQ(norm.has_value(), !published.is_null()) << parameter;
        ++compared;
        if (!norm) continue;
        const double wanted = published;
        EXPECT_NEAR(*norm, wanted, std::max(1e-8 * wanted, 1e-9)) << parameter;
      }
      EXPECT_EQ(compared, 178u);
    }
  }
}

}  // namespace
}  // namespace lacuna::methods::demoseg
