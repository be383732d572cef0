#include "methods/smml/options.h"

#include "methods/shared/brain_box_options.h"

namespace lacuna::methods::smml {
namespace {

void add_parts(OptionBinding<Options>& binding) {
  binding
      .flag("dual", &Options::dual, true,
            "Two networks that teach each other; without it one alone, trained on one subset.")
      .flag("helpers", &Options::helpers, true,
            "Losses of single modalities and of the decoder's levels, which the published code "
            "keeps and the paper's total does not name.")
      .flag("pixel", &Options::pixel, true, "The networks teach each other voxel by voxel.")
      .flag("prototype", &Options::prototype, true,
            "The networks agree on how the classes of a batch relate to each other.")
      .flag("refinement", &Options::refinement, true,
            "In training, outputs are refined by label maps where cases have them.")
      .text("label_map", &Options::label_map, std::string("sam"),
            "Name of the label maps (ingest --extra NAME=DIRECTORY) that the refinement uses; "
            "cases without them train without it.")
      .integer("start_epoch", &Options::start_epoch, 101,
               "Epoch, of 1000 in the run, from which voxel-wise teaching and the refinement's "
               "effect on the segmentation count (published code); 0: from the start (paper).",
               {.minimum = 0, .maximum = 1000});
}

void add_teaching(OptionBinding<Options>& binding) {
  binding
      .number("temperature", [](Options& o) -> double& { return o.selective.temperature; }, 6,
              "Of the softmax in voxel-wise teaching.", {.minimum = 1e-3})
      .flag(
          "squared_temperature", [](Options& o) -> bool& { return o.selective.scaled; }, false,
          "Voxel-wise teaching is multiplied by the square of the temperature.")
      .choice(
          "kl", [](Options& o) -> bool& { return o.selective.from_teacher; }, "own",
          {{"own", false}, {"teacher", true}},
          "Voxel-wise divergence: KL(own || other), as printed, or KL(other || own), as usual in "
          "distillation.")
      .choice("pixel_mean", &Options::per_sample, "batch", {{"batch", false}, {"sample", true}},
              "Voxels of the whole batch are averaged, or those of each sample.")
      .choice("prototype_weights", &Options::raw_weights, "shares",
              {{"shares", false}, {"sums", true}},
              "Entropies that weigh the classes: divided by their sum, or as printed, sums over "
              "voxels of up to a million.")
      .choice("absent_classes", &Options::whole_batch_classes,
              by_official<std::string>("dropped", "whole"), {{"dropped", false}, {"whole", true}},
              "A class that a sample has no cell of has no prototype, or the whole term is left "
              "out in such a step, as the published code replaces what is no number.")
      .choice("prototype_cells", &Options::area_cells, "nearest",
              {{"nearest", false}, {"area", true}},
              "Class of a cell of features: its first voxel's, or shares of all.");
}

void add_refinement(OptionBinding<Options>& binding) {
  binding
      .choice("without_maps", &Options::empty_masks, "off", {{"off", false}, {"empty", true}},
              "A sample without label maps trains without refinement, or with empty masks.")
      .flag("mask_weights", &Options::mask_weights, true,
            "A small network weighs the masks with help of the true sizes (published code, not in "
            "the paper).")
      .choice("mask_background", &Options::mask_background, "rest",
              {{"rest", true}, {"empty", false}},
              "Mask of the background: what no other class has, or nothing.")
      .choice("refined", &Options::refined_logits,
              by_official<std::string>("probabilities", "logits"),
              {{"probabilities", false}, {"logits", true}},
              "What the refinement's cross entropy and Dice are taken of; the published code gives "
              "raw logits to losses that elsewhere see probabilities.")
      .flag("stop_at_refined", &Options::stop_at_refined, false,
            "The refined output teaches the main one and learns nothing from it.")
      .choice("average", &Options::average_probabilities, "logits",
              {{"logits", false}, {"probabilities", true}},
              "What the segmentation averages over the two networks and over windows.");
}

}  // namespace

const OptionBinding<Options>& binding() {
  static const auto options = [] {
    OptionBinding<Options> made;
    add_brain_box_options(made);
    made.choice("token_layout", &Options::aligned_tokens, "published",
                {{"published", false}, {"aligned", true}},
                "Where the tokens of the last transformer go, as in mmformer. The published layout "
                "mixes places, prototypes then do, too.")
        .flag("dropout", &Options::dropout, true,
              "Dropout of 0.1 in the transformers, in training.");
    add_parts(made);
    add_teaching(made);
    add_refinement(made);
    made.flag("official", &Options::official, false,
              "The published code and its post-processing: the default of each key below that is "
              "null.");
    return made;
  }();
  return options;
}

}  // namespace lacuna::methods::smml
