// What one run of a phase reports: losses, norms, rates, times.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/text/json.h"

namespace lacuna::worker {

struct PhaseOutcome {
  bool finite = true;  // false: loss or gradient was not, and nothing was updated
  double loss = 0;
  std::vector<std::pair<std::string, double>> parts;
  std::map<std::string, double> learning_rates, gradient_norms;  // by group
  double forward_backward_seconds = 0, optimizer_seconds = 0, reduce_seconds = 0;

  // The next repeat of the same run of a phase: its losses count, times add up.
  void follow(const PhaseOutcome& next);

  Json to_json() const;
  static PhaseOutcome from_json(const Json& json);  // what is not finite comes back as NaN
};

}  // namespace lacuna::worker
