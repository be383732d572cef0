// ShaSpec beyond its card: evaluation, independence of samples, options, weights.
#include "methods/shaspec/method.h"

#include <memory>
#include <set>

#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "methods/exchange/comparison.h"
#include "methods/exchange/tensor_exchange.h"
#include "tests/methods/shaspec/setup.h"

namespace lacuna::methods::shaspec {
namespace {

TEST(ShaSpec, EncodingOnceGivesTheForwardPassOfEverySubset) {
  for (const char* fill : {"mean", "first"}) {
    const auto method = make({{"fill", fill}});
    const torch::NoGradGuard no_grad;
    const auto image = random_batch(kAll, 2).image;
    const auto subsets = data::ModalitySet({"a", "b", "c", "d"}).subsets();
    const auto decoded = method->decode(method->encode(image), subsets);
    for (std::size_t s = 0; s < subsets.size(); ++s) {
      const auto expected = method->forward(image, subsets[s]);
      EXPECT_LT((decoded[static_cast<std::int64_t>(s)] - expected).abs().max().item<double>(),
                1e-3 * expected.std().item<double>())
          << fill << " subset " << subsets[s];
    }
  }
}

TEST(ShaSpec, AnAbsentModalityCannotChangeOutputOrLoss) {
  const auto method = make();
  const torch::NoGradGuard no_grad;
  Batch batch = random_batch(kFlairT1c);
  const auto before = method->forward(batch.image, kFlairT1c);
  const Loss loss = method->loss("train", batch, {});
  batch.image.select(1, 1).add_(100);
  batch.image.select(1, 3).zero_();
  EXPECT_TRUE(torch::equal(method->forward(batch.image, kFlairT1c), before));
  EXPECT_TRUE(torch::equal(method->loss("train", batch, {}).total, loss.total));
}

// Samples that keep different modalities have the mean of their losses, so that micro-batches and
// ranks do not change the result.
TEST(ShaSpec, TheLossOfABatchIsTheMeanOfItsSamples) {
  for (const bool aux_on_missing : {true, false}) {
    const auto method = make({{"aux_on_missing", aux_on_missing}});
    method->module().to(at::kDouble);
    const torch::NoGradGuard no_grad;
    Batch both = random_batch(kAll, 2);
    both.image = both.image.to(at::kDouble);
    both.subsets = {{kFlairT1c, 0b1110}};
    double mean = 0;
    for (const std::int64_t n : {0, 1}) {
      Batch one;
      one.image = both.image.narrow(0, n, 1);
      one.label = both.label.narrow(0, n, 1);
      one.subsets = {{both.subsets[0][static_cast<std::size_t>(n)]}};
      mean += method->loss("train", one, {}).total.item<double>() / 2;
    }
    EXPECT_NEAR(method->loss("train", both, {}).total.item<double>(), mean, 1e-9);
  }
}

// Fill "first" in training: the lender is a uniformly drawn available modality.
TEST(ShaSpec, ALendingModalityIsDrawnInTrainingAndFixedWithoutKeys) {
  const auto method = make({{"fill", "first"}});
  const torch::NoGradGuard no_grad;
  Batch batch = random_batch(kFlairT1c);
  const auto total = [&](const std::vector<std::uint64_t>& keys) {
    batch.sample_index = keys;
    return method->loss("train", batch, {}).total.item<double>();
  };
  const double lowest = total({});
  EXPECT_EQ(total({}), lowest);
  int same = 0;
  std::set<double> seen;
  for (std::uint64_t key = 0; key < 12; ++key) {
    const double value = total({key});
    EXPECT_EQ(total({key}), value);
    same += value == lowest;
    seen.insert(value);
  }
  EXPECT_EQ(seen.size(), 2u);  // FLAIR lends or T1c does
  EXPECT_GT(same, 1);
  EXPECT_LT(same, 11);
}

TEST(ShaSpecOptions, EachOptionChangesWhatItSays) {
  const auto batch = random_batch(kFlairT1c);
  const auto loss_of = [&](const Json& options) {
    const auto method = make(options);
    const torch::NoGradGuard no_grad;
    return method->loss("train", batch, {});
  };
  const Loss plain = loss_of({});
  const auto total = [](const Loss& loss) { return loss.total.item<double>(); };
  EXPECT_NEAR(total(loss_of({{"alignment_weight", 0.3}})) - total(plain),
              0.2 * part(plain, "shared"), 1e-5);
  EXPECT_NEAR(total(loss_of({{"domain_weight", 0.52}})) - total(plain), 0.5 * part(plain, "domain"),
              1e-5);
  EXPECT_NE(part(loss_of({{"fill", "first"}}), "dice"), part(plain, "dice"));
  EXPECT_EQ(part(loss_of({{"fill", "mean"}}), "dice"), part(plain, "dice"));

  // With two modalities left, the ring has no edge between FLAIR and T1c; all pairs have.
  const Loss present = loss_of({{"aux_on_missing", false}});
  EXPECT_EQ(part(present, "shared"), 0);
  EXPECT_NE(part(present, "domain"), part(plain, "domain"));
  EXPECT_EQ(part(present, "dice"), part(plain, "dice"));
  const Loss pairs = loss_of({{"aux_on_missing", false}, {"alignment_pairs", "all"}});
  EXPECT_GT(part(pairs, "shared"), 0);
  EXPECT_GT(part(loss_of({{"alignment_pairs", "all"}}), "shared"), part(plain, "shared"));

  EXPECT_EQ(make({{"schedule", "cosine"}})->stages(1800)[1].phases[0].trains[0].schedule.kind,
            ScheduleSpec::Kind::kCosine);
  EXPECT_EQ(make()->stages(1800)[0].steps, 799);
  EXPECT_EQ(make({{"warm_up_steps", 500}})->stages(1800)[0].steps, 499);
  EXPECT_EQ(make({{"warm_up_steps", 0}})->stages(1800).size(), 1u);
  EXPECT_EQ(make({{"warm_up_steps", 9000}})->stages(1800)[0].steps, 1799);
  EXPECT_EQ(make()->recipe().crop.centred_probability, 0.5);
  EXPECT_EQ(make({{"centre_choices", 4}})->recipe().crop.centred_probability, 0.375);
  EXPECT_FALSE(make()->recipe().augmentation.cubic);
  EXPECT_TRUE(make({{"interpolation", "cubic"}})->recipe().augmentation.cubic);
  EXPECT_EQ(make()->inference().window, InferenceRecipe::Window::kUniform);
  EXPECT_EQ(make({{"blending", "gaussian"}})->inference().window,
            InferenceRecipe::Window::kGaussian);
  EXPECT_TRUE(make()->inference().relabelled.empty());
  EXPECT_EQ(make({{"et_min", 20}})->inference().relabelled.at(0).minimum, 20);
}

// Without the stage of all modalities the first step may meet a zero image (ImageRows::settle).
TEST(ShaSpec, AFreshNetworkTakesItsFirstStepWithMissingModalities) {
  const auto method = make();
  const Comparison comparison = compare_phase(*method, "train", random_batch(kFlairT1c), {});
  for (const auto& [name, gradient] : comparison.gradients) {
    EXPECT_LT(gradient.value_or(0), 1e6) << name;  // not a number is not less
  }
}

TEST(ShaSpecOptions, OfficialTakesThePublishedChoicesAndAKeyThatIsGivenWins) {
  const auto official = make({{"official", true}});
  EXPECT_TRUE(official->recipe().augmentation.cubic);
  EXPECT_EQ(official->inference().relabelled.at(0).minimum, 500);
  const auto batch = random_batch(kFlairT1c);
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(torch::equal(official->forward(batch.image, kFlairT1c),
                           make({{"fill", "first"}})->forward(batch.image, kFlairT1c)));
  const auto changed = make({{"official", true}, {"fill", "mean"}, {"et_min", 0}});
  EXPECT_TRUE(changed->recipe().augmentation.cubic);
  EXPECT_TRUE(changed->inference().relabelled.empty());
  EXPECT_TRUE(torch::equal(changed->forward(batch.image, kFlairT1c),
                           make()->forward(batch.image, kFlairT1c)));
  EXPECT_FALSE(torch::equal(changed->forward(batch.image, kFlairT1c),
                            official->forward(batch.image, kFlairT1c)));
}

// The names are the published ones: shaspec_parity_test.cpp.
TEST(ShaSpec, WeightsPassThroughAStateDictAndOneWithAttentionIsRefused) {
  const TemporaryDirectory folder;
  const auto from = make(), to = make();
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : to->module().parameters()) parameter.zero_();
  }
  std::vector<std::pair<std::string, at::Tensor>> state;
  for (const auto& item : from->module().named_parameters()) {
    state.emplace_back(item.key(), item.value().detach());
  }
  write_tensors(folder / "state.safetensors", state);
  EXPECT_EQ(import_weights(*to, folder / "state.safetensors").loaded, 944);
  const auto loaded = to->module().named_parameters();
  for (const auto& [name, tensor] : state) EXPECT_TRUE(torch::equal(loaded[name], tensor)) << name;
  state.emplace_back("multihead_attn.in_proj_bias", torch::zeros({3}));
  write_tensors(folder / "attention.safetensors", state);
  EXPECT_THROW(import_weights(*to, folder / "attention.safetensors"), DataError);
}

TEST(ShaSpec, TheNetworkNamesTheSizesThatItTakes) {
  const auto method = make();
  try {
    method->forward(torch::zeros({1, 4, 32, 64, 40}), kAll);
    FAIL() << "a width of 40 was taken";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("32"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lacuna::methods::shaspec
