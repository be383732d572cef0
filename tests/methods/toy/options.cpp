#include "tests/methods/toy/options.h"

namespace lacuna::methods::toy {

const OptionBinding<Options>& binding() {
  static const auto options = OptionBinding<Options>().number(
      "smooth", &Options::smooth, 1, "Added to the denominator of the Dice loss.", {.minimum = 0});
  return options;
}

}  // namespace lacuna::methods::toy
