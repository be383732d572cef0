#include "methods/m2ftrans/options.h"

#include "methods/shared/brain_box_options.h"

namespace lacuna::methods::m2ftrans {

const OptionBinding<Options>& binding() {
  static const auto options = [] {
    OptionBinding<Options> made;
    add_brain_box_options(made);
    made.integer("warm_up_epochs", &Options::warm_up_epochs, 0,
                 "Part of the run, in epochs of which it has 1000, in which only the outputs of "
                 "single modalities count.",
                 {.minimum = 0, .maximum = 1000})
        .flag("rate_from_zero", &Options::rate_from_zero, true,
              "The learning rate of an epoch is that at its start, so that nothing is learnt in "
              "the first, as the published code has it; else that at its end.")
        .choice("subset_per", &Options::batch_subset, "sample",
                {{"sample", false}, {"batch", true}},
                "Whether each sample of a batch draws a subset of its own, as the published code "
                "does since March 2024, or the batch one for all.")
        .flag("dropout", &Options::dropout, true,
              "Dropout of 0.1 in the transformer and in the fusion of channels, in training.")
        .flag("official", &Options::official, false, "The published code and its post-processing.");
    return made;
  }();
  return options;
}

}  // namespace lacuna::methods::m2ftrans
