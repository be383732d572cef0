// The published code's numbers (tests/parity/README.md) and the comparison with them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/files/tensor_file.h"
#include "base/text/json.h"
#include "methods/exchange/comparison.h"
#include "methods/exchange/fill.h"
#include "methods/exchange/tensor_exchange.h"

namespace lacuna::methods {

class ParityVectors {
 public:
  explicit ParityVectors(const std::string& method)
      : path_(std::filesystem::path(std::getenv("LACUNA_SOURCE")) / "tests/parity" /
              (method + ".safetensors")),
        json_(read_json(path_.parent_path() / (method + ".json"))),
        file_(path_) {}

  const Json& named(const std::string& name) const {
    for (const Json& each : json_["cases"]) {
      if (each["name"] == name) return each;
    }
    throw std::runtime_error("no case " + name);
  }
  const Json& json() const { return json_; }
  at::Tensor tensor(const std::string& name) const { return read_tensor(file_, path_, name); }

  at::Tensor input(const Json& example, at::ScalarType type) const {
    const Json& shape =
        example.contains("input_shape") ? example["input_shape"] : json_["input_shape"];
    return fill("input", shape.get<std::vector<std::int64_t>>(), 1).to(type);
  }

  // Largest difference to the stored samples, as a part of the output's standard deviation. Tensors
  // without three spatial axes are stored whole.
  double sample_error(const at::Tensor& output, const Json& about) const {
    const auto s = about["stride"].get<std::int64_t>();
    at::Tensor sampled = output;
    for (std::int64_t axis = 2; axis < output.dim(); ++axis) {
      sampled = sampled.slice(axis, 0, output.size(axis), s);
    }
    const at::Tensor expected = tensor(about["tensor"]).to(sampled.scalar_type());
    EXPECT_EQ(sampled.sizes(), expected.sizes());
    return (sampled - expected).abs().max().item<double>() / about["std"].get<double>();
  }

 private:
  Path path_;
  Json json_;
  TensorFile file_;
};

inline SubsetMask subset_of_names(const Json& names) {
  static const data::ModalitySet modalities({"FLAIR", "T1", "T1c", "T2"});
  SubsetMask subset = 0;
  for (const Json& name : names) {
    subset |= SubsetMask{1} << modalities.index(name.get<std::string>());
  }
  return subset;
}

inline SubsetMask subset_of(const Json& example) { return subset_of_names(example["available"]); }

inline Batch parity_batch(const ParityVectors& vectors, const Json& example, at::ScalarType type) {
  Batch made;
  made.image = vectors.input(example, type);
  const auto& s = made.image.sizes();
  made.label = fill_label({s[0], s[2], s[3], s[4]}, 1);
  if (example.contains("available_per_sample")) {
    made.subsets.emplace_back();
    for (const Json& names : example["available_per_sample"]) {
      made.subsets[0].push_back(subset_of_names(names));
    }
  } else {
    made.subsets = {std::vector<SubsetMask>(static_cast<std::size_t>(s[0]), subset_of(example))};
  }
  return made;
}

// Whose image comes in the order of the published code, brought into the cohort's.
inline Batch parity_batch(const ParityVectors& vectors, const Json& example, const Method& method,
                          at::ScalarType type) {
  Batch made = parity_batch(vectors, example, type);
  made.image = from_published_channels(method, made.image);
  return made;
}

inline void expect_moments(const at::Tensor& output, const Json& about, double relative) {
  const at::Tensor wide = output.to(at::kDouble);
  const double mean = about["mean"], std = about["std"];
  EXPECT_NEAR(wide.mean().item<double>(), mean, relative * std::max(std::abs(mean), std));
  EXPECT_NEAR(wide.std(/*unbiased=*/false).item<double>(), std, relative * std);
}

// In float32 instance norm amplifies the rounding of constant features: the README's tolerance.
inline double float_tolerance(const Json& example) {
  double published = 0;
  if (example.contains("float32_error_over_std")) {
    published = example["float32_error_over_std"]["max"];
  }
  return std::max(2e-4, 5 * published);
}

// The losses of a phase without its backward pass.
inline Comparison losses_of(Method& method, const std::string& phase, const Batch& batch,
                            const Progress& progress = {}) {
  const torch::NoGradGuard no_grad;
  const Loss loss = method.loss(phase, batch, progress);
  Comparison result;
  result.output = loss.output;
  for (const auto& [name, value] : loss.parts) {
    result.losses.emplace_back(name, value.item<double>());
  }
  result.losses.emplace_back("total", loss.total.item<double>());
  return result;
}

inline void expect_losses(const Comparison& result, const Json& example, double relative) {
  std::map<std::string, double> losses(result.losses.begin(), result.losses.end());
  for (const auto& [name, value] : example["losses"].items()) {
    ASSERT_TRUE(losses.contains(name)) << name;
    EXPECT_NEAR(losses[name], value.get<double>(), relative * std::abs(value.get<double>()))
        << name;
  }
}

// Every parameter's norm; one that is not in the graph counts as zero. `allowed`: name and
// published norm -> error.
template <typename Allowed>
void expect_gradients_within(const Comparison& result, const Json& example,
                             const Allowed& allowed) {
  const Json& expected = example["gradients"];
  for (const auto& [name, norm] : result.gradients) {
    ASSERT_TRUE(expected.contains(name)) << name;
    const Json& value = expected[name];
    const double wanted = value.is_null() ? 0 : value.get<double>();
    EXPECT_NEAR(norm.value_or(0), wanted, allowed(name, wanted)) << name;
  }
}

inline void expect_gradients(const Comparison& result, const Json& example, double relative,
                             double floor) {
  expect_gradients_within(result, example, [&](const std::string&, double wanted) {
    return std::max(relative * wanted, floor);
  });
}

inline double largest_gradient(const Comparison& result) {
  double largest = 0;
  for (const auto& [name, norm] : result.gradients) largest = std::max(largest, norm.value_or(0));
  return largest;
}

// Names, shapes and sums of the filled weights, in the published order. Names that start with
// `unused` are not there.
inline void expect_filled_weights(Method& method, const ParityVectors& vectors,
                                  const std::string& unused = "-") {
  const auto named = method.module().named_parameters();
  std::size_t at = 0;
  for (const Json& about : vectors.json()["parameters"]) {
    const auto name = about["name"].get<std::string>();
    if (name.starts_with(unused)) continue;
    ASSERT_LT(at, named.size());
    EXPECT_EQ(named[at].key(), name);
    const at::Tensor& weight = named[at++].value();
    EXPECT_EQ(weight.sizes().vec(), about["shape"].get<std::vector<std::int64_t>>()) << name;
    const double scale = about["abs_sum"];
    EXPECT_NEAR(weight.sum(at::kDouble).item<double>(), about["sum"], 1e-9 * scale) << name;
    EXPECT_NEAR(weight.abs().sum(at::kDouble).item<double>(), scale, 1e-9 * scale) << name;
  }
  EXPECT_EQ(at, named.size());
}

}  // namespace lacuna::methods
