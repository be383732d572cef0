#include "models/initialisation.h"

#include <cmath>

#include <ATen/ATen.h>
#include <torch/utils.h>

namespace lacuna::models {

void initialise_fan_out(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) {
    at::Tensor& parameter = item.value();
    if (parameter.dim() == 5) {
      const auto voxels = parameter.size(2) * parameter.size(3) * parameter.size(4);
      parameter.normal_(0, std::sqrt(2.0 / static_cast<double>(parameter.size(0) * voxels)));
    } else {
      parameter.fill_(item.key().ends_with("weight") ? 1 : 0);
    }
  }
}

}  // namespace lacuna::models
