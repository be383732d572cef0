// The options of Robust-MSeg: section method_options of a run. A value; parsing is pure.
#pragma once

#include "methods/shared/gated_recipe.h"

namespace lacuna::methods::robust_mseg {

struct Options : GatedOptions {
  bool shared_output = true;
  double image_weight = 0.1, divergence_weight = 0.1, divergence_epsilon = 1e-12;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::robust_mseg
