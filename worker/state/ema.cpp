#include "worker/state/ema.h"

#include <torch/types.h>

namespace lacuna::worker {

Ema::Ema(double decay, std::vector<std::pair<std::string, at::Tensor>> parameters) : decay_(decay) {
  for (auto& [name, parameter] : parameters) {
    parameters_.push_back(parameter.detach());  // shares storage
    averages_.emplace_back(name, parameter.detach().clone());
  }
}

void Ema::update() {
  at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    averages_[i].second.lerp_(parameters_[i], 1 - decay_);
  }
}

std::vector<at::Tensor> Ema::present() const {
  std::vector<at::Tensor> copies;
  for (const at::Tensor& each : parameters_) copies.push_back(each.clone());
  return copies;
}

void Ema::restart_changed(const std::vector<at::Tensor>& before) {
  at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!at::equal(parameters_[i], before[i])) averages_[i].second.copy_(parameters_[i]);
  }
}

void Ema::swap() {
  at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor kept = parameters_[i].clone();
    parameters_[i].copy_(averages_[i].second);
    averages_[i].second.copy_(kept);
  }
}

}  // namespace lacuna::worker
