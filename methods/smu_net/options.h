// The options of SMU-Net: section method_options of a run. A value; parsing is pure.
#pragma once

#include "methods/shared/co_training.h"

namespace lacuna::methods::smu_net {

struct Options : CoTrainingOptions {
  double content_weight = 0.2, adversarial_weight = 2e-4;
  bool mean_gram = false;
  std::optional<double> gram_weight;  // null: 1 as published, 0 with the mean
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::smu_net
