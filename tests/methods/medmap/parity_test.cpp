// The alignment against vectors (tests/parity/README.md): `medmap` of the published fragment,
// `medmap-input` of the card's formulas, which no published code holds.
#include "tests/methods/parity.h"

#include "methods/medmap/alignment.h"
#include "methods/shared/zero_fill.h"

namespace lacuna::methods::medmap {
namespace {

// The vectors' order.
const data::ModalitySet& cohort() {
  static const data::ModalitySet made({"FLAIR", "T1c", "T1", "T2"});
  return made;
}

Alignment filled(const Json& given, at::ScalarType type) {
  Alignment made(cohort(),
                 binding().parse(Schema(binding().declared()).resolve(given, "method_options")));
  const torch::NoGradGuard no_grad;
  for (const auto& item : made.module()->named_parameters()) {
    item.value().copy_(fill(item.key(), item.value().sizes(), 1));
  }
  for (const auto& item : made.module()->named_buffers()) {
    item.value().copy_(fill(item.key(), item.value().sizes(), 1));
  }
  made.module()->to(type);
  return made;
}

SubsetMask subset(const Json& names) {
  SubsetMask made = 0;
  for (const Json& name : names) made |= SubsetMask{1} << cohort().index(name.get<std::string>());
  return made;
}

void expect_near(double found, double expected, double relative) {
  EXPECT_NEAR(found, expected, relative * std::max(std::abs(expected), 1e-3));
}

double tolerance(at::ScalarType type, double wide) { return type == at::kDouble ? 1e-9 : wide; }

void expect_output(const ParityVectors& vectors, const at::Tensor& found, const Json& about,
                   at::ScalarType type) {
  expect_near(found.mean().item<double>(), about["mean"], tolerance(type, 2e-4));
  EXPECT_LT(vectors.sample_error(found, about), type == at::kDouble ? 1e-6 : 2e-4);
}

TEST(MedmapParity, MappedImagesAgree) {
  const ParityVectors vectors("medmap-input");
  const torch::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    Alignment alignment = filled(Json::object(), type);
    for (const Json& example : vectors.json()["cases"]) {
      if (example["mode"] != "eval") continue;
      SCOPED_TRACE(example["name"]);
      const at::Tensor z = alignment.image(vectors.input(example, type),
                                           {subset(example["available"])}, /*training=*/false);
      expect_output(vectors, z, example["outputs"][0], type);
    }
  }
}

// The vectors' batch norm is over the batch.
TEST(MedmapParity, EveryAnchorAgreesInTraining) {
  const ParityVectors vectors("medmap-input");
  const Json& example = vectors.named("train");
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const Json& phase : example["phases"]) {
      const auto name = phase["name"].get<std::string>();
      SCOPED_TRACE(name);
      std::string anchor = name.substr(std::string("anchor ").size());
      if (anchor == "flair") anchor = "modality";
      Alignment alignment = filled({{"anchor", anchor}, {"statistics", "batch"}}, type);
      std::vector<SubsetMask> subsets;
      for (const Json& names : example["available_per_sample"]) subsets.push_back(subset(names));
      const auto shape = vectors.json()["input_shape"].get<std::vector<std::int64_t>>();
      // Gradients are stored of the masked input, so that is what is given.
      const at::Tensor input =
          zero_fill(fill("input", shape, 1), subsets).to(type).clone().requires_grad_();
      const at::Tensor z = alignment.image(input, {15, 15}, /*training=*/true);
      expect_output(vectors, z.detach(), example["outputs"][0], type);
      const at::Tensor loss = alignment.take_loss();
      const double near = tolerance(type, 1e-3);
      expect_near(loss.item<double>(), phase["losses"]["L_A"], near);
      loss.backward();
      auto parameters = alignment.module()->named_parameters();
      for (const auto& [key, norm] : phase["gradients"].items()) {
        const at::Tensor gradient = key == "input" ? input.grad() : parameters[key].grad();
        if (norm.is_null()) {
          EXPECT_FALSE(gradient.defined()) << key;
        } else {
          // Written with ten digits.
          expect_near(gradient.norm().item<double>(), norm, std::max(near, 1e-8));
        }
      }
      for (const auto& [key, values] : example["running_after"].items()) {
        const at::Tensor buffer = alignment.module()->named_buffers()[key];
        for (std::int64_t c = 0; c < 4; ++c) {
          expect_near(buffer[c].item<double>(), values[static_cast<std::size_t>(c)],
                      tolerance(type, 1e-4));
        }
      }
    }
  }
}

TEST(MedmapParity, FirstLevelFeaturesAgreeWithThePublishedFragment) {
  const ParityVectors vectors("medmap");
  const std::vector<std::string> names = {"flair_x1", "t1ce_x1", "t1_x1", "t2_x1"};
  const auto shape = vectors.json()["input_shape"].get<std::vector<std::int64_t>>();
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const Json& example : vectors.json()["cases"]) {
      SCOPED_TRACE(example["name"]);
      const bool training = example["name"] == "train";
      Alignment alignment = filled({{"official", true}}, type);
      const SubsetMask present = subset(example["available"]);
      std::vector<at::Tensor> inputs, features;
      for (std::size_t j = 0; j < names.size(); ++j) {
        inputs.push_back(fill_input(names[j], shape, 1).to(type).requires_grad_());
        const bool given = training || data::contains(present, static_cast<int>(j));
        features.push_back(given ? inputs[j] : at::Tensor());
      }
      alignment.first_level(features, {present}, {}, training);
      for (std::size_t j = 0; j < names.size(); ++j) {
        const Json& about = example["outputs"][j];
        ASSERT_EQ(about["what"].get<std::string>().find(names[j]), 0u);
        expect_output(vectors, features[j].detach(), about, type);
      }
      if (!training) continue;
      // The published value has its eighth inside: alpha = 0.5 on the mean.
      const at::Tensor loss = 0.5 * alignment.take_loss();
      const Json& phase = example["phases"][0];
      expect_near(loss.item<double>(), phase["losses"]["align_loss"], tolerance(type, 1e-4));
      loss.backward();
      const auto norm_of = [&](const std::string& key) {
        if (key == "weights") {
          return alignment.module()->named_parameters()[key].grad().norm().item<double>();
        }
        for (std::size_t j = 0; j < names.size(); ++j) {
          if (key == "grad_input_" + names[j]) return inputs[j].grad().norm().item<double>();
        }
        return -1.0;
      };
      for (const auto& [key, norm] : phase["gradients"].items()) {
        EXPECT_NEAR(norm_of(key), norm.get<double>(),
                    (type == at::kDouble ? 1e-8 : 1e-3) * norm.get<double>())
            << key;
      }
    }
  }
}

}  // namespace
}  // namespace lacuna::methods::medmap
