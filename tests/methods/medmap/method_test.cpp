// MedMAP as the rest of Lacuna uses it: what its hosts do with it, leaks, groups, refusals.
#include "methods/medmap/method.h"

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"

namespace lacuna::methods::medmap {
namespace {

const std::vector<std::string> kNames = {"FLAIR", "T1", "T1c", "T2"};

std::unique_ptr<methods::Method> made(const std::string& name, const Json& options,
                                      std::vector<std::string> modalities = kNames) {
  torch::manual_seed(4);
  auto method = make_method(name, data::ModalitySet(std::move(modalities)), 0.0625, options,
                            data::Extent{32, 32, 32});
  method->initialise();
  return method;
}

Batch batch(std::vector<SubsetMask> subsets) {
  torch::manual_seed(5);
  const auto samples = static_cast<std::int64_t>(subsets.size());
  Batch made;
  made.image = torch::randn({samples, 4, 32, 32, 32});
  made.label = torch::randint(0, 4, {samples, 32, 32, 32}).to(at::kByte);
  made.subsets = {std::move(subsets)};
  return made;
}

constexpr SubsetMask kT1 = 0b0010;

// How far the output moves when the images of all modalities but T1 become noise.
double moved_by_missing(methods::Method& method) {
  const torch::NoGradGuard no_grad;
  const at::Tensor image = batch({kT1}).image, other = image.clone();
  for (const int m : {0, 2, 3}) other.select(1, m).normal_(3, 2);
  return (method.forward(image, kT1) - method.forward(other, kT1)).abs().max().item<double>();
}

TEST(Medmap, AMissingModalityLeaksInLeakModeAlone) {
  for (const char* encoder : {"dense", "grouped", "identity"}) {
    EXPECT_EQ(moved_by_missing(*made("medmap", {{"encoder", encoder}})), 0) << encoder;
  }
  EXPECT_EQ(moved_by_missing(*made("medmap", {{"placement", "stage1"}})), 0);
  EXPECT_EQ(moved_by_missing(*made("medmap", {{"host", "acn"}})), 0);
  EXPECT_GT(moved_by_missing(*made("medmap", {{"leak", true}})), 1e-4);
}

// Nor in training: what the subset lacks is taken away before the encoder.
TEST(Medmap, TrainingSeesNoMissingImage) {
  const auto method = made("medmap", Json::object());
  Batch given = batch({kT1, 0b1011});
  const double before = method->loss("train", given, {}).total.item<double>();
  for (const int m : {0, 2, 3}) given.image[0][m].normal_(3, 2);
  EXPECT_EQ(method->loss("train", given, {}).total.item<double>(), before);
  const auto leaking = made("medmap", {{"leak", true}});
  const double first = leaking->loss("train", given, {}).total.item<double>();
  given.image[0][0].normal_(3, 2);
  EXPECT_NE(leaking->loss("train", given, {}).total.item<double>(), first);
}

// Without weight and without an encoder nothing of the host changes, to the last bit.
TEST(Medmap, WithoutWeightAndEncoderItIsItsHost) {
  for (const char* host : {"mmformer", "acn"}) {
    SCOPED_TRACE(host);
    const std::string phase = host == std::string("acn") ? "joint" : "train";
    const auto alone = made(host, Json::object());
    const auto with =
        made("medmap", {{"host", host}, {"encoder", "identity"}, {"alpha", 0}, {"leak", true}});
    const auto names = [](methods::Method& method) {
      return method.module().named_parameters().keys();
    };
    EXPECT_THAT(names(*with), ::testing::IsSupersetOf(names(*alone)));
    const Batch given = batch({0b0101, 0b1111});
    const Loss expected = alone->loss(phase, given, {}), found = with->loss(phase, given, {});
    EXPECT_EQ(found.total.item<float>(), expected.total.item<float>());
    EXPECT_TRUE(at::equal(found.output, expected.output));
    ASSERT_EQ(found.parts.size(), expected.parts.size() + 1);
    for (std::size_t i = 0; i < expected.parts.size(); ++i) {
      EXPECT_EQ(found.parts[i].second.item<float>(), expected.parts[i].second.item<float>());
    }
    const torch::NoGradGuard no_grad;
    EXPECT_TRUE(at::equal(with->forward(given.image, 0b0101), alone->forward(given.image, 0b0101)));
  }
}

TEST(Medmap, TheAlignmentIsOneMoreTermAndIsLearnt) {
  for (const Json& options :
       {Json{{"host", "mmformer"}}, Json{{"host", "acn"}}, Json{{"placement", "stage1"}}}) {
    SCOPED_TRACE(options.dump());
    const auto method = made("medmap", options);
    const Stage stage = method->stages(10).front();
    const Loss loss = method->loss(stage.phases[0].name, batch({0b0101, 0b1110}), {});
    EXPECT_EQ(loss.parts.back().first, "alignment");
    loss.total.backward();
    std::vector<std::string> own;
    for (const ParameterGroup& group : method->groups()) {
      for (const std::string& name : group.parameters) {
        if (!name.starts_with("medmap.")) continue;
        EXPECT_EQ(group.name, stage.phases[0].trains[0].group);
        EXPECT_TRUE(method->module().named_parameters()[name].grad().defined()) << name;
        own.push_back(name);
      }
    }
    EXPECT_EQ(own.size(), options.contains("placement") ? 1u : 7u);
    if (stage.phases.size() > 1) {  // the discriminators learn from what the first phase left
      EXPECT_NE(method->loss(stage.phases[1].name, batch({0b0101, 0b1110}), {}).parts.back().first,
                "alignment");
    }
    EXPECT_EQ(method->diagnostics().size(), 4u);
  }
}

// Running averages follow training, and evaluation goes by them.
TEST(Medmap, EvaluationNormalisesByRunningAverages) {
  const auto method = made("medmap", Json::object());
  const Batch given = batch({0b1111});
  const auto output = [&] {
    const torch::NoGradGuard no_grad;
    return method->forward(given.image, 0b1111);
  };
  const at::Tensor before = output();
  {
    const torch::NoGradGuard no_grad;  // a loss that is only looked at
    method->loss("train", given, {});
  }
  EXPECT_TRUE(at::equal(output(), before));
  method->loss("train", given, {});
  EXPECT_FALSE(at::equal(output(), before));
}

TEST(Medmap, DecodesSubsetsAsTheForwardPassDoes) {
  for (const char* placement : {"input", "stage1"}) {
    const auto method = made("medmap", {{"placement", placement}});
    const torch::NoGradGuard no_grad;
    const at::Tensor image = batch({0}).image;
    const std::vector<SubsetMask> subsets = {1, 6, 15};
    const at::Tensor all = method->decode(method->encode(image), subsets);
    for (std::size_t s = 0; s < subsets.size(); ++s) {
      EXPECT_TRUE(at::equal(all[static_cast<std::int64_t>(s)], method->forward(image, subsets[s])));
    }
  }
}

// stage1: the anchor stands for missing features, of each sample by its own subset.
TEST(Medmap, AnchorsReachTheDecoder) {
  const auto method = made("medmap", {{"placement", "stage1"}});
  const auto host = made("mmformer", Json::object());
  const torch::NoGradGuard no_grad;
  const at::Tensor image = batch({0}).image;
  EXPECT_TRUE(at::equal(method->forward(image, 15), host->forward(image, 15)));
  EXPECT_FALSE(at::equal(method->forward(image, 5), host->forward(image, 5)));
}

TEST(Medmap, TakesModalitiesInTheCohortsOrder) {
  for (const char* placement : {"input", "stage1"}) {
    const Json options = {{"placement", placement}};
    const auto one = made("medmap", options);
    const auto other = made("medmap", options, {"T2", "FLAIR", "T1c", "T1"});
    const torch::NoGradGuard no_grad;
    const at::Tensor image = batch({0}).image;
    const at::Tensor moved = image.index_select(1, at::tensor({3, 0, 2, 1}, at::kLong));
    EXPECT_TRUE(at::equal(one->forward(image, 0b0101), other->forward(moved, 0b0110)));
  }
}

// The teacher of PMKL learns behind the alignment; while the student learns both stay as they are,
// whether the teacher was trained by the same run or given.
TEST(Medmap, AFixedTeacherKeepsItsAlignment) {
  for (const char* teacher : {"trained", "given"}) {
    SCOPED_TRACE(teacher);
    const auto method = made("medmap", {{"host", "pmkl"}, {"pmkl", {{"teacher", teacher}}}});
    const bool given = teacher == std::string("given");
    EXPECT_EQ(method->given_tensors(), given ? std::vector<std::string>({"teacher.", "medmap."})
                                             : std::vector<std::string>());
    const auto state = [&] {
      std::map<std::string, at::Tensor> copies;
      for (const auto& item : method->module().named_buffers()) {
        copies[item.key()] = item.value().clone();
      }
      return copies;
    };
    const auto before = state();
    ASSERT_EQ(before.size(), 6u);
    const Stage student = method->stages(10).back();
    const Loss loss = method->loss(student.phases[0].name, batch({kT1, 0b1110}), {});
    EXPECT_NE(loss.parts.back().first, "alignment");
    loss.total.backward();
    for (const auto& [name, buffer] : state()) EXPECT_TRUE(at::equal(buffer, before.at(name)));
    for (const ParameterGroup& group : method->groups()) {
      for (const std::string& name : group.parameters) {
        if (!name.starts_with("medmap.")) continue;
        EXPECT_FALSE(given) << name;
        EXPECT_EQ(group.name, method->stages(10).front().phases[0].trains[0].group);
        EXPECT_FALSE(method->module().named_parameters()[name].grad().defined()) << name;
      }
    }
    if (given) continue;
    const Loss taught = method->loss("teacher", batch({15, 15}), {});
    EXPECT_EQ(taught.parts.back().first, "alignment");
    taught.total.backward();
    EXPECT_TRUE(method->module().named_parameters()["medmap.weights"].grad().defined());
    EXPECT_FALSE(at::equal(state().at("medmap.embed.conv.1.running_mean"),
                           before.at("medmap.embed.conv.1.running_mean")));
  }
}

TEST(Medmap, RefusesWhatAHostCannotDo) {
  const auto refusal = [](const Json& options) -> std::string {
    try {
      made("medmap", options);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  using ::testing::AllOf, ::testing::HasSubstr;
  EXPECT_THAT(refusal({{"host", "rfnet"}}),
              AllOf(HasSubstr("host"), HasSubstr("mmformer"), HasSubstr("acn")));
  EXPECT_THAT(refusal({{"host", "acn"}, {"placement", "stage1"}}), HasSubstr("stage1"));
  EXPECT_THAT(refusal({{"placement", "stage1"}, {"anchor", "normal"}}), HasSubstr("mixture"));
  EXPECT_THAT(refusal({{"anchor", "modality"}, {"anchor_modality", "PD"}}), HasSubstr("T1c"));
  EXPECT_THAT(refusal({{"subset", "T1"}}), HasSubstr("mmformer"));
  EXPECT_EQ(made("medmap", {{"host", "acn"}, {"subset", "T1"}})->serves(), kT1);
  EXPECT_FALSE(refusal({{"acn", {{"no_such", 1}}}}).empty());
}

}  // namespace
}  // namespace lacuna::methods::medmap
