// One optimiser of one parameter group: LibTorch's fused SGD, Adam and AdamW steps, with moments
// that are ours, so that they can be checkpointed by name.
//
// A step equals torch.optim's with the same settings. Gradients are read from the parameters'
// .grad(). Not thread-safe. Moments have the device, type and strides of their parameter.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "methods/method.h"

namespace lacuna::worker {

class Optimizer {
 public:
  // parameters: (official name, tensor) of the group.
  Optimizer(const methods::OptimizerSpec& spec,
            std::vector<std::pair<std::string, at::Tensor>> parameters);

  // A later stage may train the group with other settings; the moments stay if the kind does.
  void set_spec(const methods::OptimizerSpec& spec);
  void reset();  // moments and counters to zero

  // Scales the gradients so that their total norm is at most spec.clip_norm (torch's
  // clip_grad_norm_), and returns the norm before; the norm is also computed without clipping.
  double clip();
  void step(double learning_rate);

  // What a checkpoint holds: "<parameter>/momentum", "<parameter>/exp_avg", ... and "steps".
  // The tensors are the live ones: copy into them to restore.
  std::vector<std::pair<std::string, at::Tensor>> state() const;

 private:
  struct Slot {
    std::string name;
    at::Tensor parameter;
    std::vector<at::Tensor> moments;  // SGD: momentum; Adam: exp_avg, exp_avg_sq[, max_exp_avg_sq]
  };
  void allocate();

  methods::OptimizerSpec spec_;
  std::vector<Slot> slots_;
  at::Tensor steps_;  // float, one per parameter: one without gradient may be skipped
};

}  // namespace lacuna::worker
