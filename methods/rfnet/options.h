// The choices that RFNet's paper and published code leave open (section method_options of a run).
// Defaults are the published code's. Value type.
#pragma once

#include <cstdint>

#include "methods/shared/option_binding.h"
#include "models/biased_conv.h"

namespace lacuna::methods::rfnet {

struct Options {
  models::Border border;
  std::int64_t warm_up_epochs;
  bool warm_up_skip;
  bool local_dice;
  std::int64_t et_min;
  bool official;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::rfnet
