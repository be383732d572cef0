#include "methods/smu_net/options.h"

namespace lacuna::methods::smu_net {

const OptionBinding<Options>& binding() {
  static const auto options = [] {
    OptionBinding<Options> made;
    bind_co_training(made, /*student_weight=*/0.6);
    made.number("content_weight", &Options::content_weight, 0.2,
                "Weight of matching content features.", {.minimum = 0})
        .number("adversarial_weight", &Options::adversarial_weight, 2e-4,
                "Weight of the student's adversarial loss; 0: no discriminator phase.",
                {.minimum = 0})
        .choice("gram", &Options::mean_gram, "published", {{"published", false}, {"mean", true}},
                "Gram matrices of the styles are compared as published, which is numerically "
                "inert, or by the mean over their entries.")
        .number("gram_weight", &Options::gram_weight, std::nullopt,
                "Weight of Gram matching; null: 1 as published, 0 with gram=mean (untuned).",
                {.minimum = 0});
    return made;
  }();
  return options;
}

}  // namespace lacuna::methods::smu_net
