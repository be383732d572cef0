// The options of the toy (section method_options of a run). Value type.
#pragma once

#include "methods/shared/option_binding.h"

namespace lacuna::methods::toy {

struct Options {
  double smooth;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::toy
