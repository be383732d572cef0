// Everything of a run that learns: the method's tensors, an optimiser per trained group, the moving
// average. What checkpoints hold and phases update.
//
// Keeps references to the method. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "methods/method.h"
#include "worker/state/ema.h"
#include "worker/state/optimizer.h"
#include "worker/state/tensor_transfer.h"

namespace lacuna::worker {

class TrainingState {
 public:
  // ema_decay 0: no average. The module must already have its device and layout.
  TrainingState(methods::Method& method, double ema_decay);

  // Makes the optimisers that the stage needs; `fresh` = its first step, where it may reset them.
  void enter_stage(const methods::Stage& stage, bool fresh);
  // Gradients are wanted for the parameters of the phase's groups, and for no others.
  void enter_phase(const methods::Phase& phase);
  Optimizer& optimizer(const methods::TrainedGroup& trained);
  void clear_gradients();
  // The parameters of the phase's groups, in the order of groups and names.
  NamedTensors trained_by(const methods::Phase& phase) const;
  // Runs what gives parameters other values than a step would (a stage hands weights on): averages
  // of those start anew.
  void hand_over(const std::function<void()>& change);
  Ema* ema() { return ema_ ? &*ema_ : nullptr; }

  // Live tensors, for saving and restoring.
  NamedTensors model() const;
  NamedTensors optimizers() const;  // "<group>:<parameter>/<moment>"
  NamedTensors averages() const;
  // What a phase changes: its parameters and the state of their optimisers.
  NamedTensors changed_by(const methods::Phase& phase);
  // All that a phase depends on: the model and that state.
  NamedTensors inputs_of(const methods::Phase& phase);
  // The model with the averages, if there are any, in the place of its parameters.
  NamedTensors evaluated() const;
  NamedTensors buffers() const;

 private:
  methods::Method& method_;
  std::map<std::string, at::Tensor> parameters_;
  std::map<std::string, std::vector<std::string>> groups_;
  std::map<std::string, std::unique_ptr<Optimizer>> optimizers_;
  std::optional<Ema> ema_;

  void add_optimizers_of(const methods::Phase& phase, NamedTensors& tensors);
};

// Every parameter and buffer of a method under its official name.
NamedTensors named_tensors(methods::Method& method);

}  // namespace lacuna::worker
