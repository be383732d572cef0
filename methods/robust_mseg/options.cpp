#include "methods/robust_mseg/options.h"

namespace lacuna::methods::robust_mseg {

const OptionBinding<Options>& binding() {
  static const auto options = [] {
    OptionBinding<Options> made;
    add_gated_options(made);
    made.choice("image_output", &Options::shared_output, "shared",
                {{"shared", true}, {"separate", false}},
                "The last convolution of the image decoders: one for all modalities (published), "
                "or each its own.")
        .number("image_weight", &Options::image_weight, 0.1, "Weight of rebuilding the modalities.",
                {.minimum = 0})
        .number("divergence_weight", &Options::divergence_weight, 0.1,
                "Weight of the Kullback-Leibler divergences of the styles.", {.minimum = 0})
        .number("divergence_epsilon", &Options::divergence_epsilon, by_official(1e-12, 0.0),
                "The least squared shift of a style under its logarithm, which has no bound at 0.",
                {.minimum = 0, .maximum = 1});
    return made;
  }();
  return options;
}

}  // namespace lacuna::methods::robust_mseg
