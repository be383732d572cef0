// What CCSD computes, checked against its equations on a narrow network: no code is published. The
// worked numbers of the divergences: tests/losses/channel_kl_test.cpp; of the paths:
// removal_path_test.cpp; of the area under the curve: tests/evaluation.
#include "methods/ccsd/method.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "base/files/tensor_file.h"
#include "methods/exchange/comparison.h"
#include "methods/exchange/tensor_exchange.h"
#include "methods/shared/region_loss.h"

namespace lacuna::methods::ccsd {
namespace {

constexpr SubsetMask kAll = 0b1111, kFlairT1c = 0b0101;

MethodSettings settings_of(const Json& options, double width) {
  MethodSettings settings;
  settings.width = width;
  settings.options =
      Schema(binding().declared()).resolve(options.is_null() ? Json::object() : options, "test");
  return settings;
}

// Shifts of the norms are moved from 0, so that zero images leave something.
std::unique_ptr<Method> make(const Json& options = Json::object(), double width = 0.0625,
                             bool fresh = false) {
  auto method = std::make_unique<Method>(settings_of(options, width));
  torch::manual_seed(1);
  method->initialise();
  if (fresh) return method;
  const torch::NoGradGuard no_grad;
  for (auto& item : method->module().named_parameters()) {
    if (item.value().dim() == 1) item.value().add_(0.1 * torch::randn_like(item.value()));
  }
  return method;
}

Batch random_batch(SubsetMask drawn, std::int64_t samples = 1) {
  Batch batch;
  torch::manual_seed(2);
  batch.image = torch::randn({samples, 4, 32, 64, 64});
  batch.label = torch::randint(0, 4, {samples, 32, 64, 64}, at::kByte);
  batch.subsets = {std::vector<SubsetMask>(static_cast<std::size_t>(samples), drawn)};
  for (std::int64_t n = 0; n < samples; ++n) {
    batch.sample_index.push_back(static_cast<std::uint64_t>(7 + n));
  }
  return batch;
}

double part(const Loss& loss, const std::string& name) {
  for (const auto& [key, value] : loss.parts) {
    if (key == name) return value.item<double>();
  }
  throw std::runtime_error("no part " + name);
}

// A step in which HMSD draws this size.
Progress step_of_size(int size) {
  Progress progress;
  progress.seed = 5;
  while (Method::drawn_size(4, progress) != size) ++progress.step;
  return progress;
}

TEST(CcsdCard, HasTheParametersOfShaSpecWithoutItsClassifier) {
  const auto count = [](const Json& options) {
    Method method(settings_of(options, 1.0));
    std::int64_t total = 0;
    for (const auto& parameter : method.module().parameters()) total += parameter.numel();
    return std::pair(total, method.module().named_parameters().size());
  };
  EXPECT_EQ(count({}), std::pair(std::int64_t{187707104}, std::size_t{942}));
  EXPECT_EQ(count({{"domain_weight", 0.02}}), std::pair(std::int64_t{187708132}, std::size_t{944}));
  EXPECT_EQ(count({{"compose", "1x1x1"}}).first, 184299232);
}

TEST(CcsdCard, TakesShaSpecsWeightsButTheClassifiers) {
  const TemporaryDirectory folder;
  const auto from = make({{"domain_weight", 0.02}}), to = make();
  std::vector<std::pair<std::string, at::Tensor>> state;
  for (const auto& item : from->module().named_parameters()) {
    state.emplace_back(item.key(), item.value().detach());
  }
  write_tensors(folder / "state.safetensors", state);
  const auto imported = import_weights(*to, folder / "state.safetensors");
  EXPECT_EQ(imported.loaded, 942);
  EXPECT_EQ(imported.ignored,
            (std::vector<std::string>{"dom_classifier.weight", "dom_classifier.bias"}));
}

// A direct pass sees masked images; the cache never does.
TEST(CcsdCard, EverySubsetFromTheCacheEqualsAPassOfItsOwn) {
  const auto method = make();
  const Batch batch = random_batch(kAll, 2);
  const torch::NoGradGuard no_grad;
  const SubsetFeatures cache(method->network(), batch.image, {kAll, kAll}, Fill::kZeroShared);
  std::vector<SubsetMask> subsets;
  for (SubsetMask subset = 1; subset <= kAll; ++subset) subsets.push_back(subset);
  const at::Tensor decoded = method->decode(method->encode(batch.image), subsets);
  for (const SubsetMask subset : subsets) {
    Rows rows;
    rows.at(0, subset);
    rows.at(1, subset);
    at::Tensor masked = batch.image.clone();
    for (int m = 0; m < 4; ++m) {
      if (!data::contains(subset, m)) masked.select(1, m).zero_();
    }
    const SubsetFeatures direct(method->network(), masked, {subset, subset}, Fill::kZeroShared);
    const at::Tensor z = cache.slots(rows);
    EXPECT_LT((z - direct.slots(rows)).abs().max().item<double>(), 1e-4);
    for (int m = 0; m < 4; ++m) {
      if (data::contains(subset, m)) continue;
      EXPECT_TRUE(torch::equal(z.select(1, m), cache.zero().expand_as(z.select(1, m)))) << m;
    }
    const at::Tensor expected = method->forward(masked, subset);
    EXPECT_LT((cache.logits(rows) - expected).abs().max().item<double>(), 1e-4) << subset;
    EXPECT_LT((decoded[subset - 1] - expected).abs().max().item<double>(), 1e-4) << subset;
  }
}

// All shifts are 0, so a zero image stays zero through the whole encoder.
TEST(CcsdCard, FreshWeightsLeaveNothingOfAZeroImage) {
  const auto method = make({}, 0.0625, /*fresh=*/true);
  const Batch batch = random_batch(kAll);
  const torch::NoGradGuard no_grad;
  const SubsetFeatures cache(method->network(), batch.image, {kAll}, Fill::kZeroShared);
  EXPECT_EQ(cache.zero().abs().max().item<double>(), 0);
  Rows rows;
  rows.at(0, kFlairT1c);
  for (int level = 0; level < 4; ++level) {
    EXPECT_EQ(cache.skip(level, rows).select(1, 1).abs().max().item<double>(), 0);
  }
  const at::Tensor channels = cache.slots(rows).flatten(1, 2).flatten(2).abs().amax(2)[0];
  EXPECT_EQ((channels == 0).sum().item<std::int64_t>(), channels.numel() / 2);
}

TEST(CcsdCard, DrawsEachSizeAsOftenAndFromTheStepAlone) {
  std::map<int, int> seen;
  for (Progress progress{.seed = 3}; progress.step < 30000; ++progress.step) {
    ++seen[Method::drawn_size(4, progress)];
  }
  ASSERT_EQ(seen.size(), 3u);
  for (const int size : {1, 2, 3}) EXPECT_NEAR(seen[size] / 30000.0, 1.0 / 3, 0.01) << size;
  EXPECT_EQ(Method::drawn_size(1, {}), 0);
  EXPECT_EQ(Method::drawn_size(2, {}), 1);
}

// The terms by their equations, on features that the test gathers itself.
TEST(CcsdCard, BothTermsAreSumsOfDivergencesOverTheirSets) {
  const auto method = make({{"distilled", "concat"}});
  const auto summed = make({{"distilled", "concat"}, {"hierarchical_reduction", "sum"}});
  const Batch batch = random_batch(kFlairT1c, 2);
  const torch::NoGradGuard no_grad;
  const SubsetFeatures cache(method->network(), batch.image, {kAll, kAll}, Fill::kZeroShared);
  const auto map = [&](std::int64_t n, SubsetMask set) {
    Rows rows;
    rows.at(n, set);
    return cache.slots(rows).flatten(1, 2);
  };
  const auto kl = [&](std::int64_t n, SubsetMask teacher, SubsetMask student) {
    return losses::channel_kl(map(n, teacher), map(n, student), {.temperature = 4}).item<double>();
  };
  const std::map<int, int> sets{{1, 4}, {2, 6}, {3, 4}};
  for (const auto& [size, count] : sets) {
    const Progress progress = step_of_size(size);
    double sum = 0;
    int found = 0;
    for (SubsetMask set = 1; set < kAll; ++set) {
      if (data::count(set) != size) continue;
      ++found;
      for (int n = 0; n < 2; ++n) sum += kl(n, kAll, set) / 2;
    }
    EXPECT_EQ(found, count);
    EXPECT_NEAR(part(method->loss("train", batch, progress), "hmsd"), sum / count, 1e-5 * sum);
    EXPECT_NEAR(part(summed->loss("train", batch, progress), "hmsd"), sum, 1e-5 * sum);
  }
  double chain = 0;
  const at::Tensor c = similarities(cache.fused());
  for (int n = 0; n < 2; ++n) {
    const auto path =
        removal_path(c[n], kAll, RemovalOrder::kMostCritical, false, Stream(1, Purpose::kTest, 1));
    ASSERT_EQ(path.size(), 4u);
    for (std::size_t j = 0; j < 3; ++j) chain += kl(n, path[j], path[j + 1]) / 2;
  }
  EXPECT_NEAR(part(method->loss("train", batch, {}), "dmcd"), chain, 1e-5 * chain);
}

// The larger set is detached: what only it contributes has no gradient. With the features side by
// side and a path from two modalities the students see but their own.
TEST(CcsdCard, TheTeacherReceivesNoGradient) {
  const auto gradients = [&](bool detach) {
    const auto method = make({{"distilled", "private"},
                              {"hierarchical_weight", 0},
                              {"path_start", "drawn"},
                              {"detach_teacher", detach}});
    Batch batch = random_batch(kFlairT1c);
    const Loss loss = method->loss("train", batch, {});
    for (const auto& [name, value] : loss.parts) {
      if (name == "dmcd") value.backward();
    }
    std::map<std::string, double> norms;
    for (const auto& item : method->module().named_parameters()) {
      const std::string encoder = item.key().substr(0, item.key().find('.'));
      if (item.value().grad().defined())
        norms[encoder] += item.value().grad().norm().item<double>();
    }
    return norms;
  };
  auto detached = gradients(true), attached = gradients(false);
  // Outside the path.
  for (auto* each : {&detached, &attached}) {
    EXPECT_EQ((*each)["shared_enc"], 0);
    EXPECT_EQ((*each)["compos_layer"], 0);
  }
  EXPECT_GT(attached["flair_enc"], 0);
  EXPECT_GT(attached["t1ce_enc"], 0);
  EXPECT_GT(detached["flair_enc"] + detached["t1ce_enc"], 0);
  EXPECT_NE(detached["flair_enc"], attached["flair_enc"]);
}

TEST(CcsdCard, WithoutBothTermsTheLossIsThatOfSegmentation) {
  const auto method = make({{"hierarchical_weight", 0}, {"decremental_weight", 0}});
  const torch::NoGradGuard no_grad;
  for (const SubsetMask drawn : {kAll, kFlairT1c}) {
    const Batch batch = random_batch(drawn, 2);
    const Loss loss = method->loss("train", batch, {});
    EXPECT_EQ(loss.total.item<double>(),
              (loss.parts[0].second + loss.parts[1].second).item<double>());
    EXPECT_EQ(part(loss, "hmsd"), 0);
    const double full =
        region_loss(method->forward(batch.image, kAll), batch.label).total.item<double>();
    const double some =
        region_loss(method->forward(batch.image, drawn), batch.label).total.item<double>();
    EXPECT_NEAR(loss.total.item<double>(), (full + some) / 2, 1e-5);
  }
}

// The gradient of a batch is the mean of its samples' gradients, path and size included.
TEST(CcsdCard, MicroBatchesAddUpToTheBatch) {
  const auto method = make();
  const Batch batch = random_batch(kFlairT1c, 3);
  const Progress progress = step_of_size(2);
  for (auto& parameter : method->module().parameters()) parameter.set_requires_grad(true);
  method->loss("train", batch, progress).total.backward();
  std::map<std::string, at::Tensor> whole;
  for (auto& item : method->module().named_parameters()) {
    if (item.value().grad().defined()) whole[item.key()] = item.value().grad().clone();
  }
  method->module().zero_grad();
  for (std::int64_t n = 0; n < 3; ++n) {
    Batch one;
    one.image = batch.image.narrow(0, n, 1);
    one.label = batch.label.narrow(0, n, 1);
    one.subsets = {{kFlairT1c}};
    one.sample_index = {batch.sample_index[static_cast<std::size_t>(n)]};
    (method->loss("train", one, progress).total / 3).backward();
  }
  double difference = 0, norm = 0;
  for (const auto& [name, gradient] : whole) {
    const at::Tensor other = method->module().named_parameters()[name].grad();
    difference += (gradient - other).square().sum().item<double>();
    norm += gradient.square().sum().item<double>();
  }
  EXPECT_LT(std::sqrt(difference / norm), 1e-3);
}

// A case without T2 is taught by what it has, as if T2 were no modality of it.
TEST(Ccsd, WhatACaseLacksTeachesNothing) {
  const auto method = make({{"distilled", "concat"}});
  Batch batch = random_batch(0b0011);
  batch.available = {0b0111};
  batch.image.select(1, 3).zero_();
  const torch::NoGradGuard no_grad;
  const Loss loss = method->loss("train", batch, step_of_size(2));
  batch.image.select(1, 3).fill_(3);  // whatever lies there
  const Loss other = method->loss("train", batch, step_of_size(2));
  for (const char* name : {"dice", "bce", "hmsd", "dmcd"}) {
    EXPECT_EQ(part(loss, name), part(other, name)) << name;
  }
  EXPECT_GT(part(loss, "hmsd"), 0);
  EXPECT_EQ(part(method->loss("train", batch, step_of_size(3)), "hmsd"), 0);
  batch.available = {0b0010};
  batch.subsets = {{0b0010}};
  const Loss single = method->loss("train", batch, step_of_size(1));
  EXPECT_EQ(part(single, "hmsd") + part(single, "dmcd"), 0);
}

TEST(Ccsd, AMissingModalityCannotChangeTheOutput) {
  const auto method = make();
  at::Tensor image = random_batch(kAll).image;
  const torch::NoGradGuard no_grad;
  const at::Tensor before = method->forward(image, kFlairT1c);
  image.select(1, 1).fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(torch::equal(method->forward(image, kFlairT1c), before));
}

// The zero image is trained even when nothing is missing.
TEST(Ccsd, EveryParameterThatIsTrainedHasAGradient) {
  const auto method = make();
  const Comparison comparison = compare_phase(*method, "train", random_batch(kAll), {});
  for (const auto& [name, gradient] : comparison.gradients) EXPECT_TRUE(gradient) << name;
}

// Through fifty norms of constant maps the gradient of a zero image overflows (ImageRows::settle).
TEST(Ccsd, AFreshNetworkTakesItsFirstStep) {
  const auto method = make({}, 0.0625, /*fresh=*/true);
  const Comparison comparison = compare_phase(*method, "train", random_batch(kFlairT1c), {});
  for (const auto& [name, gradient] : comparison.gradients) {
    ASSERT_TRUE(gradient) << name;
    EXPECT_TRUE(std::isfinite(*gradient)) << name;
    EXPECT_LT(*gradient, 1e6) << name;
  }
}

TEST(CcsdOptions, EachOptionChangesWhatItSays) {
  const Batch batch = random_batch(kFlairT1c, 2);
  const torch::NoGradGuard no_grad;
  const auto loss_of = [&](const Json& options) {
    return make(options)->loss("train", batch, step_of_size(2));
  };
  const Loss plain = loss_of({});
  for (const Json& options :
       {Json{{"distilled", "concat"}}, Json{{"distilled", "logits"}}, Json{{"distilled", "shared"}},
        Json{{"distilled", "private"}}, Json{{"temperature", 1}}, Json{{"standardise", true}}}) {
    const Loss other = loss_of(options);
    EXPECT_NE(part(other, "hmsd"), part(plain, "hmsd")) << options;
    EXPECT_NE(part(other, "dmcd"), part(plain, "dmcd")) << options;
    EXPECT_EQ(part(other, "dice"), part(plain, "dice")) << options;
  }
  for (const Json& options : {Json{{"removal", "least-critical"}}, Json{{"path_start", "drawn"}}}) {
    EXPECT_NE(part(loss_of(options), "dmcd"), part(plain, "dmcd")) << options;
    EXPECT_EQ(part(loss_of(options), "hmsd"), part(plain, "hmsd")) << options;
  }
  EXPECT_NE(part(loss_of({{"hierarchical_on", "logits"}}), "hmsd"), part(plain, "hmsd"));
  EXPECT_NEAR(part(loss_of({{"hierarchical_on", "logits"}}), "dmcd"), part(plain, "dmcd"), 1e-5);
  for (const char* segmented : {"drawn", "level", "all"}) {
    EXPECT_NE(part(loss_of({{"segmented", segmented}}), "dice"), part(plain, "dice")) << segmented;
  }
  for (const char* fill : {"first", "mean"}) {
    EXPECT_NE(part(loss_of({{"fill", fill}}), "dice"), part(plain, "dice")) << fill;
  }
  for (const char* variant : {"random", "most-critical"}) {
    for (const char* on : {"shared", "pooled"}) {
      const Loss loss = loss_of({{"removal", variant},
                                 {"criticality_on", on},
                                 {"path", "batch"},
                                 {"dynamic_removal", true}});
      EXPECT_GT(part(loss, "dmcd"), 0);
    }
  }
  const Loss helped = loss_of({{"alignment_weight", 0.1}, {"domain_weight", 0.02}});
  EXPECT_GT(part(helped, "shared"), 0);
  EXPECT_GT(part(helped, "domain"), 0);
  // At the start of the ramp nothing is distilled.
  const Loss ramped = make({{"ramp", true}})->loss("train", batch, {.steps = 100});
  EXPECT_NEAR(ramped.total.item<double>(), part(ramped, "dice") + part(ramped, "bce"), 1e-6);
  EXPECT_EQ(make({{"clip_norm", 12}})->stages(9)[0].phases[0].trains[0].optimizer.clip_norm, 12);
  EXPECT_EQ(make({{"augmentation", "rotate-flip"}})->recipe().augmentation.noise_probability, 0);
  EXPECT_EQ(make({{"et_min", 20}})->inference().relabelled.at(0).minimum, 20);
}

TEST(CcsdOptions, EncodeOnceHoldsForEveryFill) {
  const at::Tensor image = random_batch(kAll).image;
  for (const char* fill : {"first", "mean"}) {
    const auto method = make({{"fill", fill}});
    const torch::NoGradGuard no_grad;
    const auto decoded = method->decode(method->encode(image), {kFlairT1c, 0b1000});
    EXPECT_LT((decoded[0] - method->forward(image, kFlairT1c)).abs().max().item<double>(), 1e-4);
    EXPECT_LT((decoded[1] - method->forward(image, 0b1000)).abs().max().item<double>(), 1e-4);
  }
}

TEST(Ccsd, TheRateRisesFirstAndFallsAsACosine) {
  const auto stages = make()->stages(100000);
  ASSERT_EQ(stages.size(), 1u);
  const auto& trained = stages[0].phases[0].trains[0];
  EXPECT_EQ(trained.optimizer.learning_rate, 1e-2);
  EXPECT_EQ(trained.schedule.warmup, 500);
  EXPECT_EQ(trained.schedule.horizon, 100000);
  EXPECT_EQ(stages[0].subsets["policy"], "cardinality");
  EXPECT_EQ(make()->stages(40)[0].phases[0].trains[0].schedule.warmup, 4);
}

}  // namespace
}  // namespace lacuna::methods::ccsd
