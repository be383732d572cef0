#include "worker/state/optimizer.h"

#include <cmath>

#include <torch/types.h>

namespace lacuna::worker {
namespace {

using Kind = methods::OptimizerSpec::Kind;

std::vector<std::string> moment_names(const methods::OptimizerSpec& spec) {
  if (spec.kind == Kind::kSgd)
    return spec.momentum != 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{};
  if (spec.amsgrad) return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
  return {"exp_avg", "exp_avg_sq"};
}

// The fused kernels walk flat memory: a gradient laid out otherwise than its parameter would be
// applied to the wrong elements.
at::Tensor in_layout_of(const at::Tensor& parameter, const at::Tensor& gradient) {
  if (gradient.strides() == parameter.strides() &&
      gradient.scalar_type() == parameter.scalar_type()) {
    return gradient;
  }
  return at::empty_like(parameter).copy_(gradient);
}

}  // namespace

Optimizer::Optimizer(const methods::OptimizerSpec& spec,
                     std::vector<std::pair<std::string, at::Tensor>> parameters)
    : spec_(spec) {
  for (auto& [name, parameter] : parameters) slots_.push_back({name, parameter, {}});
  allocate();
}

void Optimizer::allocate() {
  const std::size_t count = moment_names(spec_).size();
  for (Slot& slot : slots_) {
    slot.moments.resize(count);
    for (at::Tensor& moment : slot.moments) moment = at::zeros_like(slot.parameter.detach());
  }
  const auto device = slots_.empty() ? at::Device(at::kCPU) : slots_.front().parameter.device();
  steps_ = at::zeros({static_cast<std::int64_t>(slots_.size())},
                     at::TensorOptions().dtype(at::kFloat).device(device));
}

void Optimizer::set_spec(const methods::OptimizerSpec& spec) {
  const bool same_moments = moment_names(spec) == moment_names(spec_);
  spec_ = spec;
  if (!same_moments) allocate();
}

void Optimizer::reset() { allocate(); }

double Optimizer::clip() {
  std::vector<at::Tensor> gradients;
  for (const Slot& slot : slots_) {
    if (slot.parameter.grad().defined()) gradients.push_back(slot.parameter.grad());
  }
  if (gradients.empty()) return 0;
  const double norm = at::stack(at::_foreach_norm(gradients)).norm().item<double>();
  if (spec_.clip_norm > 0) {
    const double factor = spec_.clip_norm / (norm + 1e-6);  // torch's guard against 0
    if (factor < 1) at::_foreach_mul_(gradients, factor);
  }
  return norm;
}

void Optimizer::step(double learning_rate) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> parameters, gradients, steps;
  std::vector<std::vector<at::Tensor>> moments(moment_names(spec_).size());
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    at::Tensor gradient = slot.parameter.grad();
    if (!gradient.defined()) {
      if (!spec_.defined_zero) continue;
      gradient = at::zeros_like(slot.parameter);
    }
    parameters.push_back(slot.parameter);
    gradients.push_back(in_layout_of(slot.parameter, gradient));
    steps.push_back(steps_.select(0, static_cast<std::int64_t>(i)));
    for (std::size_t m = 0; m < moments.size(); ++m) moments[m].push_back(slot.moments[m]);
  }
  if (parameters.empty()) return;
  if (spec_.fresh_each_step) {
    for (const auto& each : moments) at::_foreach_zero_(each);
    at::_foreach_zero_(steps);
  }
  at::_foreach_add_(steps, 1);

  if (spec_.kind == Kind::kSgd) {
    // A zero buffer makes the first step equal torch.optim's, which starts from the gradient: both
    // give momentum * 0 + gradient.
    at::_fused_sgd_(parameters, gradients, moments.empty() ? at::TensorList() : moments[0],
                    spec_.weight_decay, spec_.momentum, learning_rate, /*dampening=*/0,
                    spec_.nesterov, /*maximize=*/false, /*is_first_step=*/false);
    return;
  }
  const at::TensorList maximum = spec_.amsgrad ? at::TensorList(moments[2]) : at::TensorList();
  if (spec_.kind == Kind::kAdam) {
    at::_fused_adam_(parameters, gradients, moments[0], moments[1], maximum, steps, learning_rate,
                     spec_.beta1, spec_.beta2, spec_.weight_decay, spec_.epsilon, spec_.amsgrad,
                     /*maximize=*/false);
  } else {
    at::_fused_adamw_(parameters, gradients, moments[0], moments[1], maximum, steps, learning_rate,
                      spec_.beta1, spec_.beta2, spec_.weight_decay, spec_.epsilon, spec_.amsgrad,
                      /*maximize=*/false);
  }
}

std::vector<std::pair<std::string, at::Tensor>> Optimizer::state() const {
  const auto names = moment_names(spec_);
  std::vector<std::pair<std::string, at::Tensor>> result;
  for (const Slot& slot : slots_) {
    for (std::size_t m = 0; m < names.size(); ++m) {
      result.emplace_back(slot.name + "/" + names[m], slot.moments[m]);
    }
  }
  result.emplace_back("steps", steps_);
  return result;
}

}  // namespace lacuna::worker
