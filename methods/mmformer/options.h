// The choices that mmFormer's published code leaves open (section method_options of a run).
// Defaults are the published code's. Value type.
#pragma once

#include <cstdint>

#include "methods/shared/option_binding.h"
#include "models/biased_conv.h"

namespace lacuna::methods::mmformer {

struct Options {
  models::Border border;
  bool aligned_tokens;
  bool dropout;
  bool local_dice;
  std::int64_t et_min;
  bool official;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::mmformer
