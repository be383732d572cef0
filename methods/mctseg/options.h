// The choices that MCTSeg's published code leaves open (section method_options of a run). Defaults
// are the published code's. Value type.
#pragma once

#include <cstdint>

#include "methods/shared/option_binding.h"

namespace lacuna::methods::mctseg {

struct Options {
  bool positions = false, aligned_tokens = false, stop_at_teacher = false;
  bool dropout = true, local_dice = false, official = false;
  std::int64_t et_min = 0;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::mctseg
