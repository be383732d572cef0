#include "methods/acn/options.h"

namespace lacuna::methods::acn {

const OptionBinding<Options>& binding() {
  static const auto options = [] {
    OptionBinding<Options> made;
    bind_co_training(made, /*student_weight=*/0.8);
    made.choice("consistency", &Options::softmax_kl, "mse", {{"mse", false}, {"kl", true}},
                "Predictions are compared by their squared difference, or by KL of their softmax "
                "(an option of the published code).")
        .number("information_weight", &Options::information_weight, 0.5,
                "Weight of the transfer of mutual information.", {.minimum = 0})
        .choice("information_target", &Options::information_target, by_official("full", "own"),
                {{"full", InformationTarget::kFull},
                 {"full_attached", InformationTarget::kFullAttached},
                 {"own", InformationTarget::kOwn}},
                "Features that the missing network's regressor predicts: the full network's, "
                "without or with gradient into them, or its own (published code, which transfers "
                "nothing).")
        .choice("entropy", &Options::entropy_of, "softmax_of_sigmoid",
                {{"softmax_of_sigmoid", losses::EntropyOf::kSoftmaxOfSigmoid},
                 {"softmax", losses::EntropyOf::kSoftmax},
                 {"sigmoid", losses::EntropyOf::kSigmoid}},
                "Probabilities whose entropy maps are judged: softmax of the sigmoids (published "
                "code), softmax of the logits, or each sigmoid by itself.")
        .number("entropy_weight", &Options::entropy_weight, 1e-3,
                "Weight of the adversarial loss on entropy maps; 0: no such discriminator.",
                {.minimum = 0})
        .number("feature_weight", &Options::feature_weight, 2e-4,
                "Weight of the adversarial loss on features; 0: no such discriminator.",
                {.minimum = 0})
        .number("vae_weight", &Options::vae_weight, 0,
                "Weight of reconstruction and KL of the auto-encoders (0.1 in Myronenko's paper); "
                "0: they are neither computed nor trained (published).",
                {.minimum = 0});
    return made;
  }();
  return options;
}

}  // namespace lacuna::methods::acn
