// PMKL as the rest of Lacuna uses it: stages, what is trained, students of a family, batches over
// ranks, cases that lack a modality, refusals.
#include "methods/pmkl/method.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "methods/exchange/comparison.h"
#include "methods/exchange/tensor_exchange.h"
#include "methods/shared/class_output_loss.h"

namespace lacuna::methods::pmkl {
namespace {

using ::testing::HasSubstr;

constexpr SubsetMask kT1c = 0b0100, kFull = 0b1111;

std::unique_ptr<methods::Method> made(const Json& options = Json::object()) {
  torch::manual_seed(4);
  auto method = make_method("pmkl", data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}), 0.125, options,
                            data::Extent{16, 16, 24});
  method->initialise();
  const torch::NoGradGuard no_grad;  // weights that say something
  for (auto& parameter : method->module().parameters()) {
    if (parameter.dim() == 5) parameter.mul_(10);
  }
  method->module().to(at::kDouble);
  return method;
}

Batch batch(std::vector<SubsetMask> subsets) {
  torch::manual_seed(5);
  const auto samples = static_cast<std::int64_t>(subsets.size());
  Batch made;
  made.image = torch::randn({samples, 4, 16, 16, 24}, at::kDouble);
  made.label = torch::randint(0, 5, {samples, 16, 16, 24}).to(at::kByte);
  made.subsets = {std::move(subsets)};
  return made;
}

Batch sample_of(const Batch& batch, std::int64_t n) {
  Batch one = batch;
  one.image = batch.image.narrow(0, n, 1);
  one.label = batch.label.narrow(0, n, 1);
  one.subsets = {{batch.subsets[0][static_cast<std::size_t>(n)]}};
  if (!batch.sample_index.empty()) {
    one.sample_index = {batch.sample_index[static_cast<std::size_t>(n)]};
  }
  if (!batch.available.empty()) one.available = {batch.available[static_cast<std::size_t>(n)]};
  return one;
}

// Rates: tests/worker/state/schedule_test.cpp.
TEST(PmklMethod, StatesItsStages) {
  const auto both = made()->stages(120'001);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].name, "teacher");
  EXPECT_EQ(both[0].steps, 60'000);
  EXPECT_EQ(both[0].subsets["policy"], "full");
  EXPECT_EQ(both[1].steps, 60'001);
  EXPECT_EQ(both[1].subsets, (Json{{"policy", "uniform"}, {"granularity", "sample"}}));
  for (const Stage& stage : both) {
    const Phase& phase = stage.phases.at(0);
    EXPECT_TRUE(phase.joint);
    for (const TrainedGroup& group : phase.trains) {
      EXPECT_EQ(group.optimizer.kind, OptimizerSpec::Kind::kSgd);
      EXPECT_EQ(group.optimizer.learning_rate, 1e-3);
      EXPECT_EQ(group.optimizer.momentum, 0.9);
      EXPECT_FALSE(group.optimizer.nesterov);
      EXPECT_EQ(group.optimizer.weight_decay, group.group.ends_with("_kernels") ? 1e-5 : 0);
      EXPECT_EQ(group.schedule.granularity, 300);
      EXPECT_EQ(group.schedule.horizon, stage.steps);
    }
  }
  const auto given = made({{"teacher", "given"}, {"subset", "T1c"}});
  ASSERT_EQ(given->stages(10).size(), 1u);
  EXPECT_EQ(given->stages(10)[0].subsets, (Json{{"policy", "fixed"}, {"subset", "T1c"}}));
  EXPECT_THAT(given->given_tensors(), ::testing::ElementsAre("teacher."));
  EXPECT_EQ(given->serves(), kT1c);
  EXPECT_TRUE(made()->given_tensors().empty());
  const auto alone = made({{"teacher", "alone"}});
  EXPECT_EQ(alone->stages(10).at(0).name, "teacher");
  EXPECT_EQ(alone->serves(), kFull);
  for (const auto& item : alone->module().named_parameters()) {
    EXPECT_TRUE(item.key().starts_with("teacher.")) << item.key();
  }
  EXPECT_FALSE(made({{"local_sums", true}})->stages(10)[0].phases[0].joint);
}

// Check 7 of the card: what a student's step moves is in the groups of its stage, the teacher in
// none of them; its head learns.
TEST(PmklMethod, TheTeacherIsFixedAndItsHeadLearns) {
  const auto method = made();
  const Comparison student = compare_phase(*method, "student", batch({0b0110, 0b1000}), {});
  for (const auto& [name, norm] : student.gradients) {
    EXPECT_EQ(norm.has_value(), !name.starts_with("teacher.")) << name;
    if (name.starts_with("metric_abs.")) {
      EXPECT_GT(norm.value_or(0), 0) << name;
    }
  }
  const Comparison teacher = compare_phase(*method, "teacher", batch({kFull, kFull}), {});
  for (const auto& [name, norm] : teacher.gradients) {
    EXPECT_EQ(norm.has_value(), name.starts_with("teacher.")) << name;
  }
  for (const ParameterGroup& group : method->groups()) {
    for (const std::string& name : group.parameters) {
      EXPECT_EQ(group.name.starts_with("teacher"), name.starts_with("teacher.")) << name;
      const bool kernel = name.ends_with("weight") && name.find("normalize") == std::string::npos;
      EXPECT_EQ(group.name.ends_with("_kernels"), kernel) << name;
    }
  }
}

TEST(PmklMethod, StudentsSeeTheirSubset) {
  const torch::NoGradGuard no_grad;
  const at::Tensor image = batch({0}).image;
  // One for all: what a subset lacks changes nothing.
  const auto all = made();
  for (const SubsetMask subset : {0b0001u, 0b0110u, 0b1011u}) {
    at::Tensor other = image.clone();
    for (int m = 0; m < 4; ++m) {
      if (!data::contains(subset, m)) other.select(1, m).fill_(7);
    }
    EXPECT_TRUE(at::equal(all->forward(image, subset), all->forward(other, subset)));
    EXPECT_FALSE(at::equal(all->forward(image, subset), all->forward(image, kFull)));
  }
  // One modality in every channel is not the modality in its own.
  const auto replicated = made({{"subset", "T1c"}});
  const auto placed = made({{"subset", "T1c"}, {"student_input", "zeros"}});
  EXPECT_GT(
      (replicated->forward(image, kT1c) - placed->forward(image, kT1c)).abs().max().item<double>(),
      1e-3);
  at::Tensor same = image.select(1, 2).unsqueeze(1).repeat({1, 4, 1, 1, 1});
  EXPECT_TRUE(at::equal(all->forward(same, kFull), replicated->forward(image, kT1c)));
  const auto two = made({{"subset", "FLAIR+T1c"}, {"student_input", "channels"}});
  EXPECT_EQ(two->module().named_parameters()["student.ce.e1_c1.conv.weight"].size(1), 2);
  at::Tensor other = image.clone();
  other.select(1, 1).fill_(7);
  EXPECT_TRUE(at::equal(two->forward(image, 0b0101), two->forward(other, 0b0101)));
  EXPECT_THROW(two->forward(image, kT1c), ConfigError);
  EXPECT_THROW(made({{"teacher", "alone"}})->forward(image, kT1c), ConfigError);
}

// Two ranks with a sample each have the losses of the batch, pairs across ranks among them; so have
// gradients, weighted by the ranks' shares.
TEST(PmklMethod, ABatchOverRanksIsTheBatch) {
  Batch both = batch({0b0110, 0b1000});
  both.sample_index = {13, 6};  // places 1 and 0 of a batch of two
  const auto method = made();
  const auto gradient = [&] {
    return method->module().named_parameters()["student.ce.e2_c2.conv.weight"].grad().clone();
  };
  const Loss whole = method->loss("student", both, {});
  whole.total.backward();
  const at::Tensor expected = gradient();
  method->module().zero_grad();
  at::Tensor sum = at::zeros_like(expected);
  for (const std::int64_t n : {0, 1}) {
    Batch own = sample_of(both, n), rest = sample_of(both, 1 - n);
    own.whole = rest.whole = 2;
    at::Tensor others;
    rest.over_ranks = [&](const at::Tensor& x) { return others = x.detach(); };
    {
      const torch::NoGradGuard no_grad;
      method->loss("student", rest, {});
    }
    own.over_ranks = [&](const at::Tensor& x) { return x + others; };
    const Loss part = method->loss("student", own, {});
    for (std::size_t i = 0; i < whole.parts.size(); ++i) {
      EXPECT_NEAR(part.parts[i].second.item<double>(), whole.parts[i].second.item<double>(), 1e-12)
          << whole.parts[i].first;
    }
    part.total.backward();
    sum += gradient();
    method->module().zero_grad();
  }
  EXPECT_LT((sum - expected).norm().item<double>(), 1e-9 * expected.norm().item<double>());
}

// Of the second sample's case there is no T2: no teacher for it.
TEST(PmklMethod, ACaseThatLacksAModalityTeachesNothing) {
  const auto method = made();
  Batch given = batch({0b0110, 0b0011});
  given.available = {kFull, 0b0111};
  const auto losses = [&](const char* phase) {
    std::vector<double> values;
    for (const auto& [name, value] : method->loss(phase, given, {}).parts) {
      values.push_back(value.item<double>());
    }
    return values;
  };
  const auto student = losses("student"), teacher = losses("teacher");
  given.image[1][3].normal_();  // would be there if anything looked
  EXPECT_EQ(losses("student"), student);
  EXPECT_EQ(losses("teacher"), teacher);
  // The teacher's are those of the first sample; so are distillation and contrast.
  const Batch both = given;
  given = sample_of(both, 0);
  const auto first_student = losses("student"), first_teacher = losses("teacher");
  for (const std::size_t i : {0, 1}) EXPECT_NEAR(teacher[i], first_teacher[i], 1e-12);
  for (const std::size_t i : {2, 3}) EXPECT_NEAR(student[i], first_student[i], 1e-12);
  // Where no case is complete, the student learns from its labels alone.
  given = sample_of(both, 1);
  const auto none = losses("student");
  EXPECT_EQ(none[2], 0);
  EXPECT_EQ(none[3], 0);
  EXPECT_GT(none[0], 0);
  EXPECT_EQ(losses("teacher"), (std::vector<double>{0, 0}));
  method->loss("teacher", given, {}).total.backward();
}

TEST(PmklMethod, StatesItsData) {
  const auto method = made();
  EXPECT_EQ(method->recipe().normalisation, data::Normalisation::kTrimmedZScore);
  EXPECT_EQ(method->recipe().background, data::Background::kNormalised);
  EXPECT_TRUE(method->recipe().crop.inside_box);
  EXPECT_EQ(method->recipe().augmentation.mirror_probability,
            data::AugmentationRecipe().mirror_probability);
  const auto other = made({{"zero_background", true}, {"mirror", true}});
  EXPECT_EQ(other->recipe().background, data::Background::kZero);
  EXPECT_EQ(other->recipe().augmentation.mirror_probability[2], 0.5);
  EXPECT_EQ(made({{"contrastive_weight", 0}})->loss("student", batch({3}), {}).parts.size(), 3u);
}

TEST(PmklMethod, HeadsBeginAsThePublishedCode) {
  const auto method = make_method("pmkl", data::ModalitySet({"FLAIR", "T1c", "T1", "T2"}), 1,
                                  Json::object(), data::Extent{32, 32, 32});
  method->initialise();
  const at::Tensor first = method->module().named_parameters()["metric_prs.linear_0.weight"];
  const double deviation = std::sqrt(2.6 / static_cast<double>(first.size(1)));
  EXPECT_NEAR(first.std().item<double>(), 0.8796 * deviation, 0.01 * deviation);
  EXPECT_LE(first.abs().max().item<double>(), 2.0001 * deviation);
}

TEST(PmklMethod, WeightsComeBackUnderTheirNames) {
  const TemporaryDirectory folder;
  const auto one = made();
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const auto& item : one->module().named_parameters()) {
    tensors.emplace_back(item.key(), item.value());
  }
  write_tensors(folder / "w.safetensors", tensors);
  const auto other = made();
  const torch::NoGradGuard no_grad;
  for (auto& parameter : other->module().parameters()) parameter.zero_();
  EXPECT_EQ(import_weights(*other, folder / "w.safetensors").loaded,
            static_cast<std::int64_t>(tensors.size()));
  const at::Tensor image = batch({0}).image;
  EXPECT_TRUE(at::equal(one->forward(image, 7), other->forward(image, 7)));
}

TEST(PmklMethod, RefusesOptionsThatContradictEachOther) {
  const auto refusal = [](const Json& options, data::Extent patch = {16, 16, 16}) {
    try {
      make_method("pmkl", data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}), 0.1, options, patch);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(refusal({{"student_input", "replicate"}}), HasSubstr("subset is null"));
  EXPECT_THAT(refusal({{"student_input", "replicate"}, {"subset", "T1+T2"}}),
              HasSubstr("subset is T1+T2"));
  EXPECT_THAT(refusal({{"student_input", "channels"}}), HasSubstr("needs method_options.subset"));
  EXPECT_THAT(refusal({{"teacher", "alone"}, {"subset", "T1"}}), HasSubstr("there is no student"));
  EXPECT_THAT(refusal({{"subset", "T3"}}), HasSubstr("T3"));
  EXPECT_THAT(refusal(Json::object(), {80, 84, 80}), HasSubstr("80 or 88"));
  EXPECT_EQ(refusal({{"subset", "T1+T2"}}), "");
}

}  // namespace
}  // namespace lacuna::methods::pmkl
