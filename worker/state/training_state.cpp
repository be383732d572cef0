#include "worker/state/training_state.h"

#include <algorithm>
#include <set>

#include <torch/types.h>

#include "base/error.h"

namespace lacuna::worker {

NamedTensors named_tensors(methods::Method& method) {
  NamedTensors tensors;
  for (const auto& item : method.module().named_parameters()) {
    tensors.emplace_back(item.key(), item.value());
  }
  for (const auto& item : method.module().named_buffers()) {
    tensors.emplace_back(item.key(), item.value());
  }
  return tensors;
}

TrainingState::TrainingState(methods::Method& method, double ema_decay) : method_(method) {
  NamedTensors parameters;
  for (const auto& item : method.module().named_parameters()) {
    parameters_[item.key()] = item.value();
    parameters.emplace_back(item.key(), item.value());
  }
  for (const auto& group : method.groups()) {
    for (const std::string& name : group.parameters) {
      if (!parameters_.contains(name)) {
        throw_error<Error>("group {} of the method names parameter {}, which does not exist",
                           group.name, name);
      }
    }
    groups_[group.name] = group.parameters;
  }
  if (ema_decay > 0) ema_.emplace(ema_decay, parameters);
}

Optimizer& TrainingState::optimizer(const methods::TrainedGroup& trained) {
  const auto found = optimizers_.find(trained.group);
  if (found != optimizers_.end()) return *found->second;
  const auto group = groups_.find(trained.group);
  if (group == groups_.end()) {
    throw_error<Error>("a phase of the method trains group {}, which does not exist",
                       trained.group);
  }
  NamedTensors members;
  for (const std::string& name : group->second) members.emplace_back(name, parameters_.at(name));
  auto made = std::make_unique<Optimizer>(trained.optimizer, std::move(members));
  return *(optimizers_[trained.group] = std::move(made));
}

void TrainingState::enter_stage(const methods::Stage& stage, bool fresh) {
  for (const auto& phase : stage.phases) {
    for (const auto& trained : phase.trains) {
      Optimizer& each = optimizer(trained);
      each.set_spec(trained.optimizer);
      if (fresh && stage.reset_optimizers) each.reset();
    }
  }
}

void TrainingState::hand_over(const std::function<void()>& change) {
  const auto before = ema_ ? ema_->present() : std::vector<at::Tensor>();
  change();
  if (ema_) ema_->restart_changed(before);
}

void TrainingState::enter_phase(const methods::Phase& phase) {
  std::set<std::string> trained;
  for (const auto& each : phase.trains) {
    const auto& names = groups_.at(each.group);
    trained.insert(names.begin(), names.end());
    optimizer(each).set_spec(each.optimizer);
  }
  for (auto& [name, parameter] : parameters_) parameter.set_requires_grad(trained.contains(name));
}

void TrainingState::clear_gradients() {
  for (auto& [name, parameter] : parameters_) parameter.mutable_grad() = at::Tensor();
}

NamedTensors TrainingState::trained_by(const methods::Phase& phase) const {
  NamedTensors tensors;
  for (const auto& each : phase.trains) {
    for (const auto& name : groups_.at(each.group)) {
      tensors.emplace_back(name, parameters_.at(name));
    }
  }
  return tensors;
}

void TrainingState::add_optimizers_of(const methods::Phase& phase, NamedTensors& tensors) {
  for (const auto& each : phase.trains) {
    for (auto& [name, tensor] : optimizer(each).state()) {
      tensors.emplace_back(each.group + ":" + name, tensor);
    }
  }
}

NamedTensors TrainingState::changed_by(const methods::Phase& phase) {
  NamedTensors tensors = trained_by(phase);
  add_optimizers_of(phase, tensors);
  return tensors;
}

NamedTensors TrainingState::inputs_of(const methods::Phase& phase) {
  NamedTensors tensors = model();
  add_optimizers_of(phase, tensors);
  return tensors;
}

NamedTensors TrainingState::evaluated() const {
  NamedTensors tensors = model();
  const NamedTensors replacements = averages();  // of the parameters, which come first
  std::copy(replacements.begin(), replacements.end(), tensors.begin());
  return tensors;
}

NamedTensors TrainingState::buffers() const {
  NamedTensors tensors;
  for (const auto& item : method_.module().named_buffers()) {
    tensors.emplace_back(item.key(), item.value());
  }
  return tensors;
}

NamedTensors TrainingState::model() const { return named_tensors(method_); }

NamedTensors TrainingState::optimizers() const {
  NamedTensors tensors;
  for (const auto& [group, each] : optimizers_) {
    for (auto& [name, tensor] : each->state()) tensors.emplace_back(group + ":" + name, tensor);
  }
  return tensors;
}

NamedTensors TrainingState::averages() const { return ema_ ? ema_->averages() : NamedTensors(); }

}  // namespace lacuna::worker
