#include "methods/shaspec/options.h"

namespace lacuna::methods::shaspec {

const OptionBinding<Options>& binding() {
  using losses::AlignedPairs;
  static const auto options =
      OptionBinding<Options>()
          .number("alignment_weight", &Options::alignment_weight, 0.1,
                  "Weight of the alignment of the modalities' shared features.", {.minimum = 0})
          .number("domain_weight", &Options::domain_weight, 0.02,
                  "Weight of telling modalities apart from their private features.", {.minimum = 0})
          .choice("fill", &Options::fill_first, by_official("mean", "first"),
                  {{"mean", false}, {"first", true}},
                  "Shared feature that a missing modality borrows: the mean of the available ones "
                  "(paper) or the first one (published code: a random available modality in "
                  "training, the one of lowest index in evaluation).")
          .flag("aux_on_missing", &Options::aux_on_missing, true,
                "Alignment and modality classification also see the zero images of missing "
                "modalities (published code); without it they keep to what is there (paper).")
          .choice("alignment_pairs", &Options::pairs, "ring",
                  {{"ring", AlignedPairs::kRing}, {"all", AlignedPairs::kAll}},
                  "Pairs of modalities that are aligned: neighbours in a ring (published code) or "
                  "all.")
          .choice("schedule", &Options::cosine, "poly", {{"poly", false}, {"cosine", true}},
                  "Learning rate: poly with a restart at the second stage (published code) or one "
                  "cosine over the whole run.")
          .integer("warm_up_steps", &Options::warm_up_steps, std::nullopt,
                   "Length of the first stage, with all modalities; 0: none; null: 80/180 of the "
                   "run.",
                   {.minimum = 0, .maximum = 1e12, .unit = "steps"})
          .integer(
              "centre_choices", [](Options& o) -> int& { return o.recipe.centre_choices; }, 3,
              "What half of the crops choose their centre from: 3 for ET, WT, TC; 4 adds none of "
              "them (published code before September 2024, and MCKD).",
              {.minimum = 3, .maximum = 4})
          .include(shared_recipe_options(&Options::recipe))
          .flag("official", &Options::official, false,
                "The published code: decides every key that is null. A key that is given wins.");
  return options;
}

}  // namespace lacuna::methods::shaspec
