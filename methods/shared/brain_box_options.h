// Options that RFNet, mmFormer and what was built on them share, for a method's own binding
// (methods/shared/option_binding.h): padding, local_dice, et_min.
#pragma once

#include <cstdint>

#include "methods/shared/option_binding.h"
#include "models/biased_conv.h"

namespace lacuna::methods {

// Options: has members border, local_dice and et_min.
template <typename Options>
void add_brain_box_options(OptionBinding<Options>& binding) {
  using models::Border;
  binding
      .choice(
          "padding", &Options::border, "reflect",
          {{"reflect", Border::kReflect}, {"zeros", Border::kZeros}},
          "What convolutions see outside the crop: its mirror image, as the published code asks "
          "for, or zeros, as the PyTorch 1.2 of the released weights took it.")
      .flag("local_dice", &Options::local_dice, false,
            "Dice sums over the samples of each rank alone; without it over the whole batch, as "
            "in the published code.")
      .integer("et_min", &Options::et_min, by_official<std::int64_t>(0, 500),
               "An enhancing tumour of fewer voxels is taken for necrosis; 0: never.",
               {.minimum = 0, .unit = "voxels"});
}

}  // namespace lacuna::methods
