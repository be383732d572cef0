#include "methods/mmformer/options.h"

#include "methods/shared/brain_box_options.h"

namespace lacuna::methods::mmformer {

const OptionBinding<Options>& binding() {
  static const auto options = [] {
    OptionBinding<Options> made;
    add_brain_box_options(made);
    made.choice("token_layout", &Options::aligned_tokens, "published",
                {{"published", false}, {"aligned", true}},
                "Where the tokens of the last transformer go: as the published code re-views their "
                "memory, in which a voxel gets four neighbouring tokens of one modality, or each "
                "to the voxel it came from. Weights fit one of the two.")
        .flag("dropout", &Options::dropout, true,
              "Dropout of 0.1 in the transformers, in training.")
        .flag("official", &Options::official, false, "The published code and its post-processing.");
    return made;
  }();
  return options;
}

}  // namespace lacuna::methods::mmformer
