#include "methods/ccsd/options.h"

namespace lacuna::methods::ccsd {

const OptionBinding<Options>& binding() {
  static const auto options =
      OptionBinding<Options>()
          .number("hierarchical_weight", &Options::hierarchical_weight, 0.1,
                  "Weight of hierarchical distillation (HMSD), from all modalities to every set of "
                  "one size; 0: off.",
                  {.minimum = 0})
          .number("decremental_weight", &Options::decremental_weight, 0.1,
                  "Weight of decremental distillation (DMCD), from each set of a path to the next "
                  "smaller one; 0: off.",
                  {.minimum = 0})
          .choice(
              "distilled", &Options::distilled, "stage3",
              {{"stage3", Distilled::kStage3},
               {"concat", Distilled::kConcat},
               {"logits", Distilled::kLogits},
               {"shared", Distilled::kShared},
               {"private", Distilled::kPrivate}},
              "What the two terms compare: the first decoder stage, where modalities first mix; "
              "the decoder's input; the logits; or the shared or private features side by side "
              "(the paper's ablation).")
          .choice("hierarchical_on", &Options::hierarchical_logits, "features",
                  {{"features", false}, {"logits", true}},
                  "HMSD compares what `distilled` says, or the sigmoids of the logits.")
          .choice("hierarchical_reduction", &Options::hierarchical_sum, "mean",
                  {{"mean", false}, {"sum", true}},
                  "HMSD over the sets of one size: their mean, or their sum (Eq. 2 as printed).")
          .number("temperature", [](Options& o) -> double& { return o.kl.temperature; }, 4,
                  "Temperature of the softmax over channels in both terms.", {.minimum = 0.01})
          .flag(
              "standardise", [](Options& o) -> bool& { return o.kl.standardise; }, false,
              "Give the compared feature mean 0 and deviation 1 over channels first, voxel by "
              "voxel: for a softmax that saturates (part peak of the loss above 0.99).")
          .flag("detach_teacher", &Options::detach_teacher, true,
                "The larger set of a comparison receives no gradient from it.")
          .flag("ramp", &Options::ramped, false,
                "Both weights rise from 0 over the first tenth of the run.")
          .choice("removal", &Options::order, "most-critical",
                  {{"most-critical", RemovalOrder::kMostCritical},
                   {"random", RemovalOrder::kRandom},
                   {"least-critical", RemovalOrder::kLeastCritical}},
                  "Which modality a set of the DMCD path loses next; the last two are the paper's "
                  "ablation.")
          .flag("dynamic_removal", &Options::dynamic_path, false,
                "Criticality is computed anew for each set of the path, not once for the first.")
          .choice("path", &Options::batch_path, "sample", {{"sample", false}, {"batch", true}},
                  "A path of its own for each sample, or one from the mean similarity over what is "
                  "computed at once, which then depends on ranks and micro-batches.")
          .choice("path_start", &Options::path_from_drawn, "full",
                  {{"full", false}, {"drawn", true}},
                  "First set of the path: all modalities, or the drawn subset.")
          .choice("criticality_on", &Options::compared, "fused",
                  {{"fused", Compared::kFused},
                   {"shared", Compared::kShared},
                   {"pooled", Compared::kPooled}},
                  "Features whose similarity makes criticality: fused, shared, or the fused ones' "
                  "means over voxels.")
          .choice("segmented", &Options::segmented, "full+drawn",
                  {{"full+drawn", Segmented::kFullAndDrawn},
                   {"drawn", Segmented::kDrawn},
                   {"level", Segmented::kLevel},
                   {"all", Segmented::kAll}},
                  "Subsets in the segmentation loss, which is their mean: all modalities and the "
                  "drawn subset, the drawn one, all of the size that HMSD draws, or every one.")
          .choice(
              "fill", &Options::fill, "zero_shared",
              {{"zero_shared", Fill::kZeroShared}, {"first", Fill::kFirst}, {"mean", Fill::kMean}},
              "Slot of a missing modality: the shared feature of a zero image (paper), or, as "
              "in ShaSpec, that of the first available modality or their mean.")
          .number("alignment_weight", &Options::alignment_weight, 0,
                  "Weight of ShaSpec's alignment of shared features, 0.1 there.", {.minimum = 0})
          .number("domain_weight", &Options::domain_weight, 0,
                  "Weight of ShaSpec's classification of modalities, 0.02 there; 0: no classifier.",
                  {.minimum = 0})
          .choice("compose", &Options::compose_kernel, "3x3x3", {{"3x3x3", 3}, {"1x1x1", 1}},
                  "Kernel of the convolution that merges shared and private features.")
          .number("clip_norm", &Options::clip_norm, 0,
                  "Largest norm of the gradient; 0: not limited.", {.minimum = 0})
          .choice("augmentation", &Options::light_augmentation, "shaspec",
                  {{"shaspec", false}, {"rotate-flip", true}},
                  "That of ShaSpec, or only what the paper names: rotations (15 degrees, one crop "
                  "in five) and flips.")
          .integer(
              "centre_choices", [](Options& o) -> int& { return o.recipe.centre_choices; }, 3,
              "What half of the crops choose their centre from: 3 for ET, WT, TC; 4 adds none of "
              "them.",
              {.minimum = 3, .maximum = 4})
          .include(shared_recipe_options(&Options::recipe, /*published=*/false));
  return options;
}

}  // namespace lacuna::methods::ccsd
