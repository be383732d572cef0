#include "methods/unet/options.h"

namespace lacuna::methods::unet {

const OptionBinding<Options>& binding() {
  static const auto options =
      OptionBinding<Options>()
          .integer("levels", &Options::levels, 6,
                   "Resolutions of the U-Net; a patch extent must be a multiple of 2^(levels - 1).",
                   {.minimum = 2, .maximum = 8})
          .flag("deep_supervision", &Options::deep_supervision, false,
                "Also train on the outputs of coarser levels.")
          .choice("training_subsets", &Options::training_subsets, "uniform",
                  {{"uniform", "uniform"}, {"full", "full"}},
                  "Subset policy of training: uniform over all subsets, or full (never drops a "
                  "modality) to see what zero filling does to a network that never met it.")
          .flag(
              "resection", &Options::resection, false,
              "A fourth output for the resection cavity (2024 post-treatment labels), so that the "
              "region RC is predicted and scored.")
          .added_later()
          .choice("augmentation", &Options::full_augmentation, "light",
                  {{"light", false}, {"nnunet", true}},
                  "light: mirroring and intensities; nnunet: also turns, zooms, blur and low "
                  "resolution, with nnU-Net's ranges.")
          .added_later();
  return options;
}

}  // namespace lacuna::methods::unet
