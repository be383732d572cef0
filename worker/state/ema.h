// Exponential moving average of the trained parameters: e <- decay * e + (1 - decay) * p per step.
//
// Buffers are not averaged. Not thread-safe.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

namespace lacuna::worker {

class Ema {
 public:
  // Starts at the parameters' present values.
  Ema(double decay, std::vector<std::pair<std::string, at::Tensor>> parameters);

  void update();
  // Exchanges parameters and averages in place (evaluate, then swap back).
  void swap();
  // Parameters that were given new values from outside (a stage hands weights on), not by a step:
  // their averages start anew from there. `before`: the result of present() before that.
  std::vector<at::Tensor> present() const;
  void restart_changed(const std::vector<at::Tensor>& before);
  // (official name, live average): copy into them to restore.
  const std::vector<std::pair<std::string, at::Tensor>>& averages() const { return averages_; }

 private:
  double decay_;
  std::vector<at::Tensor> parameters_;
  std::vector<std::pair<std::string, at::Tensor>> averages_;
};

}  // namespace lacuna::worker
