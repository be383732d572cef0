// How SMML makes training samples and segmentations, and what it says about itself.
#include "methods/shared/brain_box_recipe.h"
#include "methods/smml/method.h"

namespace lacuna::methods::smml {

data::DataRecipe Method::recipe() const {
  data::DataRecipe recipe = brain_box_recipe(patch_);
  recipe.draws = static_cast<int>(networks_.size());
  if (options_.refinement) recipe.label_maps = {{options_.label_map, kClasses}};
  return recipe;
}

InferenceRecipe Method::inference() const {
  InferenceRecipe recipe = brain_box_inference(patch_, options_.et_min);
  recipe.blend_probabilities = options_.average_probabilities;
  return recipe;
}

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "smml",
      .title = "Semantic-guided masked mutual learning",
      .source =
          "\"Semantic-guided Masked Mutual Learning for Multi-modal Brain Tumor Segmentation with "
          "Arbitrary Missing Modalities\", AAAI 2025, arXiv 2507.07592; published code "
          "banbooliang/SMML, commit d401541",
      .idea =
          "Two mmFormer networks see the same case under two different subsets of its modalities. "
          "Where one is further from the truth it is drawn to the other, voxel by voxel, and both "
          "shall relate the classes of a batch alike. In training a small U-Net refines each "
          "output by masks that the user had made beforehand, and what it finds flows back.",
      .output =
          "logits of background, necrosis (NCR/NET), oedema, enhancing tumour (softmax follows)",
      .deviations =
          "The published code lacks its loss helpers: mutual losses are the paper's formulas, "
          "classes without a prototype are dropped (absent_classes), their weights are shares "
          "(prototype_weights), and the refined output is judged by its probabilities (refined). "
          "Masks come as label maps, one per modality, and follow crop, turn and mirroring of the "
          "image, which the published loader forgets; they are not made here and no weights are "
          "downloaded. Batch norm of the refinement takes each sample's own statistics and keeps "
          "no running ones. Two optimisers are one backward pass in which each network is constant "
          "to the other's loss: the same steps. Else as in mmformer.",
      .options = binding().declared(),
      // 1000 epochs of 100 steps.
      .run_defaults = R"({"train": {"steps": 100000, "batch": 2}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::smml
