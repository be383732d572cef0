#include "methods/ra_hved/options.h"

namespace lacuna::methods::ra_hved {

const OptionBinding<Options>& binding() {
  static const auto options =
      OptionBinding<Options>()
          .flag("official", &Options::official, false,
                "The published code wherever it deviates: the default of each key below that is "
                "null.")
          .flag("random_biases", &Options::random_biases, by_official(false, true),
                "Biases of convolutions start from N(0, 1); else from 0.")
          .number("dropout", &Options::dropout, 0.2,
                  "Part of the channels that is dropped after the first convolution.",
                  {.minimum = 0, .maximum = 0.99})
          .number("image_weight", &Options::image_weight, 0.2,
                  "Weight of rebuilding the modalities.", {.minimum = 0})
          .number("divergence_weight", &Options::divergence_weight, 0.2,
                  "Weight of the Kullback-Leibler divergence to the prior.", {.minimum = 0})
          .number("adversarial_weight", &Options::adversarial_weight, 0.1,
                  "Weight of what the discriminator says; 0: it is not trained either.",
                  {.minimum = 0})
          .number(
              "overlap", &Options::overlap, 0.75,
              "Of the windows of an evaluation, as a part of their extent; 0.5 takes an eighth.",
              {.minimum = 0, .maximum = 0.9});
  return options;
}

}  // namespace lacuna::methods::ra_hved
