// How CCSD makes training samples and segmentations, and what it says about itself.
#include "methods/ccsd/method.h"

namespace lacuna::methods::ccsd {

data::DataRecipe Method::recipe() const {
  data::DataRecipe recipe = shared_data_recipe(options_.recipe);
  if (options_.light_augmentation) {
    data::AugmentationRecipe light;
    light.rotation_probability = 0.2;
    light.cubic = options_.recipe.cubic;
    light.mirror_probability = {0.5, 0.5, 0.5};
    recipe.augmentation = light;
  }
  return recipe;
}

InferenceRecipe Method::inference() const { return shared_inference(options_.recipe); }

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "ccsd",
      .title = "Cross-modal compositional self-distillation",
      .source =
          "\"CCSD: Cross-Modal Compositional Self-Distillation for Robust Brain Tumor Segmentation "
          "with Missing Modalities\", 2025, arXiv 2511.14599 (v1); no published code",
      .idea =
          "The network of ShaSpec is its own teacher: from features that are encoded once, every "
          "subset of the modalities can be decoded. All modalities teach each subset of one random "
          "size, and along a path that drops the most critical modality each set teaches the next "
          "smaller one. A missing modality is the shared feature of a zero image.",
      .output =
          "logits of ET, WT, TC (three independent sigmoids follow), after the trilinear "
          "enlargement by (1,2,2)",
      .deviations =
          "No code is published, so nothing but the equations can be compared. The paper leaves "
          "open and is given here: the segmentation loss (ShaSpec's, on all modalities and one "
          "drawn subset), the compared feature (first decoder stage), temperature 4, weights 0.1, "
          "the crop, the augmentation and normalisation of ShaSpec. The learning rate 1e-2 of the "
          "paper is warmed up over 500 steps; should the loss not fall, set train.learning_rate to "
          "1e-3. The path of removals is each sample's own, so that it depends on neither ranks "
          "nor "
          "micro-batches. The printed length (100 epochs, 1,700 updates) is taken for a slip: the "
          "default is the budget of the methods it is compared with. Crops, subsets and "
          "augmentation are seeded; cases come in a new order each epoch.",
      .options = binding().declared(),
      .run_defaults = R"({"train": {"steps": 115000, "batch": 12, "micro_batch": 1}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::ccsd
