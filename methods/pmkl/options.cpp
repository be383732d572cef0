#include "methods/pmkl/options.h"

namespace lacuna::methods::pmkl {

const OptionBinding<Options>& binding() {
  static const auto options = [] {
    OptionBinding<Options> made;
    add_gated_options(made);
    made.choice("teacher", &Options::teacher, "trained",
                {{"trained", Teacher::kTrained},
                 {"given", Teacher::kGiven},
                 {"alone", Teacher::kAlone}},
                "The teacher is trained in the first half of the run; or comes from init.weights "
                "(with init.only=[\"teacher.\"]), and the whole run trains the student; or is all "
                "that the run trains.")
        .text("subset", &Options::subset, std::nullopt,
              "The modalities that this run's student is made for, as in T1c: it serves no other "
              "subset (published: a family of such runs). null: one student with zeros for what "
              "is missing, for all subsets.")
        .choice("student_input", &Options::input, std::nullopt,
                {{"replicate", StudentInput::kReplicate},
                 {"zeros", StudentInput::kZeros},
                 {"channels", StudentInput::kChannels}},
                "What a student that is made for a subset sees: its one modality in every channel "
                "(published), its modalities in their places and zeros in the others, or those "
                "channels alone. null: replicate for one modality, zeros for more.")
        .flag("global_pool", &Options::global_pool, false,
              "Embeddings are made of the means of the features (1,024 weights each), not of a "
              "grid of means over half of the crop (35 million at the published crop).")
        .number("temperature", &Options::temperature, 10,
                "Temperature of the voxel-wise distillation.", {.minimum = 1e-3})
        .number("pixel_weight", &Options::pixel_weight, 0.5,
                "Weight of the voxel-wise distillation.", {.minimum = 0})
        .number("contrastive_weight", &Options::contrastive_weight, 0.5,
                "Weight of the contrastive distillation; 0: there are no embeddings.",
                {.minimum = 0})
        .number("trust_epsilon", &Options::trust_epsilon, by_official(1e-8, 0.0),
                "Added to the sum of trusts that divides; without it a batch in which the teacher "
                "is nowhere better has no loss that is a number.",
                {.minimum = 0})
        .number("distance_epsilon", &Options::distance_epsilon, by_official(1e-12, 0.0),
                "The least squared distance of two embeddings, whose root has no gradient at 0.",
                {.minimum = 0})
        .flag("mirror", &Options::mirror, false,
              "Each axis is mirrored half the time; the published code changes nothing.")
        .flag("zero_background", &Options::zero_background, false,
              "Background inside the brain box is 0 after normalisation, not its image.");
    return made;
  }();
  return options;
}

}  // namespace lacuna::methods::pmkl
