// RFNet and the methods that were built on it against their published code: what their comparisons
// have in common.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "tests/methods/parity.h"

namespace lacuna::methods {

// One network per padding for all tests, whose values are float: the type changes back and forth.
template <typename OwnMethod>
OwnMethod& filled_method(const std::vector<Option>& options, const std::string& padding,
                         const std::optional<data::Extent>& patch, at::ScalarType type) {
  static std::map<std::string, std::unique_ptr<OwnMethod>> made;
  auto& slot = made[padding];
  if (!slot) {
    MethodSettings settings;
    settings.options = Schema(options).resolve({{"padding", padding}}, "test");
    settings.patch = patch;
    slot = std::make_unique<OwnMethod>(settings);
    fill_weights(*slot, 1);
  }
  for (auto& parameter : slot->module().parameters()) parameter.mutable_grad() = at::Tensor();
  slot->module().to(type);
  return *slot;
}

inline std::string padding_of(const Json& example) {
  return example.contains("padding") ? example["padding"].get<std::string>() : "reflect";
}

// The logits of a subset.
inline void expect_output(Method& method, const ParityVectors& vectors, const Json& example,
                          at::ScalarType type) {
  SCOPED_TRACE(example["name"].get<std::string>());
  const torch::NoGradGuard no_grad;
  const at::Tensor image = from_published_channels(method, vectors.input(example, type));
  const at::Tensor output = method.forward(image, subset_of(example));
  const Json& about = example["outputs"][0];
  const bool wide = type == at::kDouble;
  if (wide) expect_moments(output, about, 1e-9);
  EXPECT_LT(vectors.sample_error(output, about), wide ? 1e-6 : float_tolerance(example));
}

// Losses and the probabilities of the fused output; the gradients, where the example has some, are
// in the result.
inline Comparison expect_phase(Method& method, const ParityVectors& vectors, const Json& example,
                               const Progress& progress, at::ScalarType type,
                               const std::string& total = "total") {
  SCOPED_TRACE(example["name"].get<std::string>());
  const bool wide = type == at::kDouble;
  const Batch batch = parity_batch(vectors, example, method, type);
  const Comparison result = example.contains("gradients")
                                ? compare_phase(method, "train", batch, progress)
                                : losses_of(method, "train", batch, progress);
  Json expected = example;
  Json& losses = expected["losses"];
  losses["total"] = Json(losses[total]);
  losses.erase("total_warmup");
  // A float32 sum of 60,000 probabilities; measured 2e-6.
  expect_losses(result, expected, wide ? 1e-9 : 2e-5);
  if (example.contains("outputs")) {
    const at::Tensor probability = result.output.softmax(1);
    const Json& about = example["outputs"][0];
    if (wide) expect_moments(probability, about, 1e-9);
    if (about.contains("tensor")) {
      EXPECT_LT(vectors.sample_error(probability, about), wide ? 1e-6 : 1e-3);
    }
  }
  return result;
}

}  // namespace lacuna::methods
