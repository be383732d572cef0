#include "models/initialisation.h"

#include <cmath>
#include <numbers>

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

void initialise_fan_in(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (const auto& each : module.modules()) {
    auto own = each->named_parameters(/*recurse=*/false);
    const at::Tensor* weight = own.find("weight");
    const bool norm = weight != nullptr && weight->dim() < 2;
    const double bound =
        weight == nullptr || norm
            ? 0
            : 1 / std::sqrt(static_cast<double>(weight->numel() / weight->size(0)));
    for (auto& item : own) {
      if (norm || (item.key() != "weight" && item.key() != "bias")) {
        item.value().fill_(norm && item.key() == "weight" ? 1 : 0);
      } else {
        item.value().uniform_(-bound, bound);
      }
    }
  }
}

void initialise_kaiming(torch::nn::Module& module) {
  initialise_fan_in(module);
  torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) {
    at::Tensor& parameter = item.value();
    if (parameter.dim() != 5) continue;
    parameter.normal_(0, std::sqrt(2.0 / static_cast<double>(parameter[0].numel())));
  }
}

// By inversion: Phi^-1 of a uniform number between Phi(-2) and Phi(2).
void fill_truncated_normal(at::Tensor& tensor, double deviation) {
  const torch::NoGradGuard no_grad;
  const double tail = 0.5 * std::erfc(2 / std::numbers::sqrt2);  // Phi(-2)
  tensor.uniform_(tail, 1 - tail);
  tensor.copy_(at::special_ndtri(tensor) * deviation);
}

void initialise_gated(torch::nn::Module& module, bool glorot_bias) {
  const torch::NoGradGuard no_grad;
  for (const auto& each : module.modules()) {
    auto own = each->named_parameters(/*recurse=*/false);
    const at::Tensor* weight = own.find("weight");
    const std::int64_t dimensions = weight == nullptr ? 0 : weight->dim();
    for (auto& item : own) {
      at::Tensor& parameter = item.value();
      if (item.key() == "weight" && dimensions > 1) {
        const auto fan_in = static_cast<double>(parameter[0].numel());
        fill_truncated_normal(parameter, dimensions == 5 ? 0.01 : std::sqrt(2.6 / fan_in));
      } else if (item.key() == "bias" && dimensions == 5 && glorot_bias) {
        const double bound = std::sqrt(3 / static_cast<double>(parameter.numel()));
        parameter.uniform_(-bound, bound);
      } else {
        parameter.fill_(item.key() == "weight" ? 1 : 0);
      }
    }
  }
}

}  // namespace lacuna::models
