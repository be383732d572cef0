#include "methods/rfnet/options.h"

#include "methods/shared/brain_box_options.h"

namespace lacuna::methods::rfnet {

const OptionBinding<Options>& binding() {
  static const auto options = [] {
    OptionBinding<Options> made;
    add_brain_box_options(made);
    made.integer("warm_up_epochs", &Options::warm_up_epochs, 20,
                 "Part of the run, in epochs of which it has 300, in which the fused output does "
                 "not count yet: 20 in the published script, 100 by the program's default.",
                 {.minimum = 0, .maximum = 300})
        .flag("warm_up_skip", &Options::warm_up_skip, false,
              "Leave the fused output's loss out during the warm-up instead of multiplying it by "
              "0: parameters that nothing else reaches then rest, instead of decaying.")
        .flag("official", &Options::official, false, "The published code and its post-processing.");
    return made;
  }();
  return options;
}

}  // namespace lacuna::methods::rfnet
