// How MST-KDNet makes training samples and segmentations, and what it says about itself.
#include "methods/mst_kdnet/method.h"

namespace lacuna::methods::mst_kdnet {

// Published: one crop at a uniform corner, mirrored along each axis half the time, nothing else.
// The published code sees the axes of the file, of which the last are axial slices.
data::DataRecipe Method::recipe() const {
  data::DataRecipe recipe;
  recipe.patch = patch_;
  recipe.axes = {1, 2, 0};
  recipe.normalisation =
      options_.zscore ? data::Normalisation::kZScore : data::Normalisation::kMinMax;
  recipe.crop.exclude_last = options_.official;
  recipe.augmentation.mirror_probability = {0.5, 0.5, 0.5};
  return recipe;
}

InferenceRecipe Method::inference() const {
  InferenceRecipe recipe;
  recipe.activation = InferenceRecipe::Activation::kSigmoid;
  recipe.patch = patch_;
  recipe.overlap = 0.5;
  recipe.centre_crop = options_.centre_crop;
  // A region is where any of its channels says so: enhancing tissue over necrosis over oedema.
  using data::Tissue;
  recipe.channels = {{1, Tissue::kOedema}, {0, Tissue::kNecrosis}, {2, Tissue::kEnhancing}};
  if (options_.region_targets) {
    recipe.channels = {{0, Tissue::kOedema}, {1, Tissue::kNecrosis}, {2, Tissue::kEnhancing}};
  }
  if (options_.resection) {
    recipe.channels.insert(recipe.channels.begin(), {4, Tissue::kResection});
  }
  return recipe;
}

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "mst-kdnet",
      .title = "Multi-scale knowledge distillation and style matching",
      .source =
          "\"Bridging the Gap in Missing Modalities: Leveraging Knowledge Distillation and Style "
          "Matching for Brain Tumor Segmentation\", MICCAI 2025, arXiv 2507.22626; published code "
          "Quanato607/MST-KDNet, commit 2c77373",
      .idea =
          "A teacher that sees all modalities and a student that sees zeros for the missing ones, "
          "each a U-Net with a transformer in its bottleneck, are trained together from scratch. "
          "Attention maps, decoder features, logits, content and Gram matrices of the two are "
          "matched, and a discriminator on style features makes the student's look complete. One "
          "student serves all subsets.",
      .output = "logits of NETC, SNFH, ET, BG (four independent sigmoids follow; BG is not used)",
      .deviations =
          "Without official: the slips in the background channel are mended, logits are "
          "standardised over classes (paper), the discriminator's optimiser persists, epoch e has "
          "rate 1e-4 (1 - e/E)^0.9, dropout is off in evaluation, whole volumes are segmented in "
          "windows, and at other crops than the published one the weight of the attention maps "
          "follows the number of tokens, so that the term keeps its size. Always: one sample is "
          "normalised at a time, and losses are means over samples, "
          "so that batches and ranks do not matter (the published batch is 1); evaluation does not "
          "move running averages; background voxels are exactly 0; the best checkpoint is chosen "
          "on validation cases under all subsets; the faulty resume is not copied; cases come in a "
          "new order each epoch; the teacher sees complete cases only. Published "
          "scores: lacuna eval --hd95 pooled --one-empty-mm 0 --dice-smooth 1.",
      .options = binding().declared(),
      // 250 epochs of 1000 cases (FeTS 2024's 80 %).
      .run_defaults = R"({"train": {"steps": 250000, "batch": 1}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::mst_kdnet
