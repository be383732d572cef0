// The choices that M2FTrans' paper and published code leave open (section method_options of a run).
// Defaults are those of the published first version. Value type.
#pragma once

#include <cstdint>

#include "methods/shared/option_binding.h"
#include "models/biased_conv.h"

namespace lacuna::methods::m2ftrans {

struct Options {
  models::Border border;
  std::int64_t warm_up_epochs;
  bool rate_from_zero;
  bool batch_subset;
  bool dropout;
  bool local_dice;
  std::int64_t et_min;
  bool official;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::m2ftrans
