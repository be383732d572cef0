// A narrow ShaSpec and a batch for it: for tests of what the width does not change.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

#include "methods/shaspec/method.h"

namespace lacuna::methods::shaspec {

inline constexpr SubsetMask kAll = 0b1111, kFlairT1c = 0b0101, kT1c = 0b0100;

inline MethodSettings settings_of(const Json& options, double width) {
  MethodSettings settings;
  settings.width = width;
  settings.options =
      Schema(binding().declared()).resolve(options.is_null() ? Json::object() : options, "test");
  return settings;
}

inline std::unique_ptr<Method> make(const Json& options = Json::object(), double width = 0.0625) {
  auto method = std::make_unique<Method>(settings_of(options, width));
  torch::manual_seed(1);
  method->initialise();
  return method;
}

inline Batch random_batch(SubsetMask subset, std::int64_t samples = 1) {
  Batch batch;
  torch::manual_seed(2);
  batch.image = torch::randn({samples, 4, 32, 64, 64});
  batch.label = torch::randint(0, 4, {samples, 32, 64, 64}, at::kByte);
  batch.subsets = {std::vector<SubsetMask>(static_cast<std::size_t>(samples), subset)};
  return batch;
}

inline double part(const Loss& loss, const std::string& name) {
  for (const auto& [key, value] : loss.parts) {
    if (key == name) return value.item<double>();
  }
  throw std::runtime_error("no part " + name);
}

}  // namespace lacuna::methods::shaspec
