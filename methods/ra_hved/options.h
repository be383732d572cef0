// Options of RA-HVED (section method_options of a run).
#pragma once

#include "methods/shared/option_binding.h"

namespace lacuna::methods::ra_hved {

struct Options {
  bool official = false, random_biases = false;
  double dropout = 0.2, image_weight = 0.2, divergence_weight = 0.2, adversarial_weight = 0.1;
  double overlap = 0.75;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::ra_hved
