// The options of DeMoSeg: section method_options of a run. A value; parsing is pure.
#pragma once

#include <cstdint>

#include "methods/shared/option_binding.h"

namespace lacuna::methods::demoseg {

struct Options {
  bool official = false, sort = true;
  double kl_weight = 1;
  std::int64_t et_min = 0;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::demoseg
