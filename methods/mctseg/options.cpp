#include "methods/mctseg/options.h"

namespace lacuna::methods::mctseg {

const OptionBinding<Options>& binding() {
  static const auto options =
      OptionBinding<Options>()
          .choice("positions", &Options::positions, "none", {{"none", false}, {"learnt", true}},
                  "Positions of tokens: none, as in the published code, which makes them anew as "
                  "zeros in every pass, or learnt.")
          .choice("token_layout", &Options::aligned_tokens, "published",
                  {{"published", false}, {"aligned", true}},
                  "Where the tokens of the fusion go: as the published code re-views their memory, "
                  "in which a voxel gets four neighbouring tokens of one modality, or each to the "
                  "voxel it came from. Weights fit one of the two.")
          .flag("stop_at_teacher", &Options::stop_at_teacher, false,
                "The encoder of all modalities learns nothing from the distance to the others.")
          .flag("dropout", &Options::dropout, true,
                "Dropout of 0.1 in transformers and adapters, in training.")
          .flag("local_dice", &Options::local_dice, false,
                "Dice sums over the samples of each rank alone; without it over the whole batch.")
          .integer("et_min", &Options::et_min, by_official<std::int64_t>(0, 500),
                   "An enhancing tumour of fewer voxels is taken for necrosis; 0: never.",
                   {.minimum = 0, .unit = "voxels"})
          .flag("official", &Options::official, false,
                "The published code and its post-processing.");
  return options;
}

}  // namespace lacuna::methods::mctseg
