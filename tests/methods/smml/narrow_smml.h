// A narrow SMML with random weights, and batches for it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "methods/smml/method.h"

namespace lacuna::methods::smml {

inline constexpr data::Extent kExtent{32, 48, 32};

inline std::unique_ptr<methods::Method> made(const Json& options = Json::object(),
                                             std::vector<std::string> modalities = {"FLAIR", "T1",
                                                                                    "T1c", "T2"}) {
  torch::manual_seed(4);
  auto method =
      make_method("smml", data::ModalitySet(std::move(modalities)), 0.0625, options, kExtent);
  method->initialise();
  return method;
}

inline Batch batch(std::vector<SubsetMask> first, std::vector<SubsetMask> second,
                   at::ScalarType type = at::kFloat, bool maps = true) {
  torch::manual_seed(5);
  const auto samples = static_cast<std::int64_t>(first.size());
  const auto [d, h, w] = kExtent;
  Batch made;
  made.image = torch::randn({samples, 4, d, h, w}).to(type);
  made.label = torch::randint(0, 4, {samples, d, h, w}).to(at::kByte);
  made.subsets = {std::move(first), std::move(second)};
  const at::Tensor proposals = torch::randint(0, 4, {samples, 4, d, h, w}).to(at::kByte);
  if (maps) made.extras["sam"] = proposals;
  return made;
}

inline const Json kFromStart = {{"start_epoch", 0}};

}  // namespace lacuna::methods::smml
