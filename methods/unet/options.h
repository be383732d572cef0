// The options of the plain U-Net (section method_options of a run). Value type.
#pragma once

#include <string>

#include "methods/shared/option_binding.h"

namespace lacuna::methods::unet {

struct Options {
  std::int64_t levels;
  bool deep_supervision;
  std::string training_subsets;  // a subset policy
  bool full_augmentation = false;
  bool resection;  // a fourth output
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::unet
