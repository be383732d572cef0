// lacuna forward against the numbers of the published MCKD code, from outside: what somebody does
// who compares Lacuna with another program.
#include <cmath>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/tensor_file.h"
#include "base/text/json.h"
#include "tests/run_program.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

constexpr const char* kFilled =
    "forward --method mckd --set official=true --weights fill:1 --input fill:1 --size 80,32,64 ";
constexpr const char* kNarrow =
    "forward --method mckd --width 0.0625 --weights fill:1 --input fill:1 --size 16,32,32 ";

std::filesystem::path parity(const std::string& name) {
  return std::filesystem::path(std::getenv("LACUNA_SOURCE")) / "tests/parity" / name;
}

Json published(const std::string& name) {
  const Json vectors = read_json(parity("mckd.json"));
  for (const Json& each : vectors["cases"]) {
    if (each["name"] == name) return each;
  }
  throw std::runtime_error("no case " + name);
}

std::vector<float> floats(const TensorView& view) {
  std::vector<float> values(view.bytes.size() / sizeof(float));
  std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
  return values;
}

TEST(ForwardCommand, WritesThePublishedLogits) {
  const TemporaryDirectory directory;
  const auto path = directory / "y.safetensors";
  const auto result =
      run_program(fmt::format("{} --available T1c+T2 --out '{}'", kFilled, path.string()));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "");
  const TensorFile file(path), vectors(parity("mckd.safetensors"));
  const TensorView* output = file.find("output");
  ASSERT_NE(output, nullptr);
  ASSERT_EQ(output->shape, (std::vector<std::int64_t>{1, 3, 80, 32, 64}));
  ASSERT_EQ(output->type, DType::kF32);
  const Json example = published("T1c+T2");
  const Json& about = example["outputs"][0];
  const auto ours = floats(*output), theirs = floats(*vectors.find("T1c+T2/logits"));
  const std::int64_t stride = about["stride"];
  double worst = 0;
  std::size_t sample = 0;
  for (std::int64_t row = 0; row < 3; ++row) {
    for (std::int64_t d = 0; d < 80; d += stride) {
      for (std::int64_t h = 0; h < 32; h += stride) {
        for (std::int64_t w = 0; w < 64; w += stride) {
          const double value = ours[((row * 80 + d) * 32 + h) * 64 + w];
          worst = std::max(worst, std::abs(value - theirs.at(sample++)));
        }
      }
    }
  }
  EXPECT_EQ(sample, theirs.size());
  // tests/parity/README.md: five times the published code's own float32 error.
  EXPECT_LT(worst / about["std"].get<double>(),
            5 * example["float32_error_over_std"]["max"].get<double>());
}

TEST(ForwardCommand, PrintsThePublishedLossesAndGradientNormsOfTheMetaPhase) {
  const TemporaryDirectory directory;
  const auto result = run_program(fmt::format("{} --label fill:1 --phase meta --out '{}'", kFilled,
                                              (directory / "y.safetensors").string()));
  ASSERT_EQ(result.code, 0) << result.err;
  const Json json = Json::parse(result.out), example = published("meta/all");
  EXPECT_EQ(json["phase"], "meta");
  for (const auto& [name, value] : example["losses"].items()) {
    EXPECT_NEAR(json["losses"][name].get<double>(), value.get<double>(), 1e-3) << name;
  }
  EXPECT_EQ(json["gradients"].size(), 222u);
  const auto norm = [&](const char* name) { return json["gradients"][name].get<double>(); };
  for (const char* name : {"shared_dec.cls_conv.0.weight", "kd_weights.kd_weights",
                           "shared_enc.backbone.layer4.2.conv2.weight"}) {
    EXPECT_NEAR(norm(name) / example["gradients"][name].get<double>(), 1, 2e-2) << name;
  }
}

TEST(ForwardCommand, WithoutAPhaseTakesTheTrainingPhase) {
  const TemporaryDirectory directory;
  const auto result = run_program(fmt::format("{} --label fill:1 --double --samples 2 --out '{}'",
                                              kNarrow, (directory / "y.safetensors").string()));
  ASSERT_EQ(result.code, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["phase"], "train");
  const Json& losses = json["losses"];
  EXPECT_NEAR(
      losses["total"].get<double>(),
      losses["dice"].get<double>() + losses["bce"].get<double>() + 0.1 * losses["kd"].get<double>(),
      1e-12);
  EXPECT_TRUE(json["gradients"]["kd_weights.kd_weights"].is_null());  // not in the graph
  const TensorFile file(directory / "y.safetensors");
  EXPECT_EQ(file.find("output")->shape, (std::vector<std::int64_t>{2, 3, 16, 32, 32}));
  EXPECT_EQ(file.find("output")->type, DType::kF64);
}

TEST(ForwardCommand, SaysWhatIsWrong) {
  const TemporaryDirectory directory;
  const auto out = fmt::format(" --out '{}'", (directory / "y.safetensors").string());
  const auto expect = [&](const std::string& arguments, int code, const char* text) {
    const auto result = run_program(arguments + out);
    EXPECT_EQ(result.code, code) << arguments;
    EXPECT_THAT(result.err, HasSubstr(text)) << arguments;
  };
  const std::string narrow = kNarrow;
  expect(narrow + "--label fill:1 --phase metta", 2, "this method has: meta, train");
  expect(narrow + "--available FLAIR+T3", 2, "T3");
  expect("forward --method mckd --weights fill:x --input fill:1", 2, "fill:SEED");
  expect("forward --method mckd --width 0.0625 --weights fill:1 --input fill:1 --size 16,32,40", 2,
         "32 or 64");
  expect("forward --method mkcd --weights fill:1 --input fill:1", 2, "mckd");
  expect("forward --method mckd --weights /nowhere.safetensors --input fill:1", 1,
         "/nowhere.safetensors");
}

TEST(ForwardCommand, RefusesLabelsOfAnotherNumbering) {
  const TemporaryDirectory directory;
  std::vector<std::byte> voxels(16 * 32 * 32, std::byte{4});
  const auto label = directory / "label.safetensors";
  write_durably(posix_file_system(), label,
                encode_tensors({{"label", DType::kU8, {1, 16, 32, 32}, voxels}}));
  const auto result = run_program(fmt::format("{} --label '{}' --out '{}'", kNarrow, label.string(),
                                              (directory / "y.safetensors").string()));
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("the label holds 4"));
}

// A subset of its own for each sample, a filled input in the published order of channels, and the
// epochs of the method's own run.
TEST(ForwardCommand, GivesEachSampleItsSubset) {
  const TemporaryDirectory directory;
  const auto result = run_program(fmt::format(
      "forward --method rfnet --weights fill:1 --input fill:1 --size 32,40,48 --samples 2 --double "
      "--available 'T1c+T2;FLAIR' --label fill:1 --epoch 20 --out '{}'",
      (directory / "y.safetensors").string()));
  ASSERT_EQ(result.code, 0) << result.err;
  const Json json = Json::parse(result.out);
  for (const Json& example : read_json(parity("rfnet.json"))["cases"]) {
    if (example["name"] != "train_batch2") continue;
    for (const char* name : {"fuse_cross", "fuse_dice", "sep_cross", "prm_dice", "total"}) {
      const double wanted = example["losses"][name];
      EXPECT_NEAR(json["losses"][name].get<double>(), wanted, 1e-9 * wanted) << name;
    }
  }
}

TEST(ForwardCommand, RefusesSubsetsThatDoNotFitTheSamples) {
  const TemporaryDirectory directory;
  const auto refused = [&](const char* available, const char* more) {
    const auto result =
        run_program(fmt::format("{} --samples 2 --available '{}' {} --out '{}'", kNarrow, available,
                                more, (directory / "y.safetensors").string()));
    EXPECT_EQ(result.code, 2);
    return result.err;
  };
  EXPECT_THAT(refused("FLAIR;T1;T2", ""), HasSubstr("3 samples"));
  EXPECT_THAT(refused("FLAIR,T1", "--label fill:1"), HasSubstr("this method draws 1"));
}

}  // namespace
}  // namespace lacuna
