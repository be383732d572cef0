#include "methods/mckd/options.h"

#include "base/error.h"

namespace lacuna::methods::mckd {

const OptionBinding<Options>& binding() {
  using Distance = losses::DistillationOptions::Distance;
  using Normalisation = ImportanceNormalisation;
  static const auto options =
      OptionBinding<Options>()
          .number("alpha", &Options::alpha, 0.1,
                  "Weight of the distillation between modalities in the training loss.",
                  {.minimum = 0})
          .flag(
              "ckd_detach", [](Options& o) -> bool& { return o.distillation.detach_teacher; }, true,
              "The teaching feature of a pair receives no gradient (published code).")
          .choice(
              "distance", [](Options& o) -> Distance& { return o.distillation.distance; }, "l1",
              {{"l1", Distance::kAbsolute}, {"mse", Distance::kSquared}},
              "Distance between two features: mean absolute or mean squared difference.")
          .choice("meta_fill", &Options::meta_fill_mean, "zero", {{"zero", false}, {"mean", true}},
                  "Feature of a missing modality in the meta phase, before its weight: that of the "
                  "zero image (published code) or the mean of the available ones (paper, Eq. 4).")
          .choice("skip_fill", &Options::skip_fill_mean, "zero", {{"zero", false}, {"mean", true}},
                  "Skip features of a missing modality: those of the zero image (published code) "
                  "or the mean of the available ones.")
          .choice("normalisation", &Options::normalisation, "softmax",
                  {{"softmax", Normalisation::kSoftmax},
                   {"relu", Normalisation::kRelu},
                   {"sigmoid", Normalisation::kSigmoid}},
                  "How the raw importance vector becomes weights; relu and sigmoid are the paper's "
                  "ablation.")
          .flag("store_normalised", &Options::store_normalised, false,
                "Replace the importance vector by its softmax after each meta phase and use it as "
                "it stands (Algorithm 1 of the paper, literally).")
          .choice("schedule", &Options::cosine, "poly", {{"poly", false}, {"cosine", true}},
                  "Learning rate of the network: poly with a restart at the second stage "
                  "(published code) or one cosine over the whole run (paper).")
          .number("importance_weight_decay", &Options::importance_decay, 5e-4,
                  "Weight decay of the importance vector; 5e-5 in the paper.", {.minimum = 0})
          .flag("warm_up", &Options::warm_up, true,
                "First stage with all modalities for 80/115 of the steps (published code); without "
                "it modalities are dropped from the start (paper).")
          .integer(
              "centre_choices", [](Options& o) -> int& { return o.recipe.centre_choices; }, 4,
              "What half of the crops choose their centre from: 4 for ET, WT, TC and none of them "
              "(published code), 3 without the last (ShaSpec).",
              {.minimum = 3, .maximum = 4})
          .include(shared_recipe_options(&Options::recipe))
          .added_later(4)
          .flag("official", &Options::official, false,
                "The published code: decides every key that is null. A key that is given wins.");
  return options;
}

Options parse(const Json& resolved) {
  Options options = binding().parse(resolved);
  if (options.store_normalised) {
    if (options.normalisation != ImportanceNormalisation::kSoftmax) {
      throw_error<ConfigError>(
          "method_options.store_normalised stores the softmax, but method_options.normalisation is "
          "\"{}\". Set one of them only.",
          resolved.at("normalisation").get<std::string>());
    }
    options.normalisation = ImportanceNormalisation::kStored;
  }
  return options;
}

}  // namespace lacuna::methods::mckd
