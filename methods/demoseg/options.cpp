#include "methods/demoseg/options.h"

namespace lacuna::methods::demoseg {

const OptionBinding<Options>& binding() {
  static const auto options =
      OptionBinding<Options>()
          .flag("official", &Options::official, false,
                "The published code wherever it deviates: the default of each key below that is "
                "null.")
          .flag("sort", &Options::sort, true,
                "Channels are added to those in the order of their gates; without it to themselves "
                "(an ablation).")
          .number("kl_weight", &Options::kl_weight, 1,
                  "Weight of the divergence between a modality and what stands in for it; 0: none, "
                  "as in the published code of 2024 and its nnU-Net variant.",
                  {.minimum = 0})
          .integer("et_min", &Options::et_min, by_official<std::int64_t>(0, 500),
                   "An enhancing tumour of fewer voxels is taken for necrosis; 0: never.",
                   {.minimum = 0, .unit = "voxels"});
  return options;
}

}  // namespace lacuna::methods::demoseg
