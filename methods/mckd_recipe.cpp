// How MCKD makes training samples and segmentations, and what it says about itself.
#include "data/augmentation.h"
#include "methods/mckd.h"

namespace lacuna::methods {

// ShaSpec card, section 5, with MCKD's crop: a uniform choice among ET, TC, WT and "none" half the
// time, so that 3/8 of the crops are centred on a class.
data::DataRecipe MckdMethod::recipe() const {
  data::DataRecipe recipe;
  recipe.patch = {80, 160, 160};
  recipe.normalisation = data::Normalisation::kCappedZScore;
  recipe.crop.centred_probability = 3.0 / 8;
  recipe.crop.centre_regions = {0, 1, 2};
  recipe.crop.margin = {0, 15, 10};
  recipe.crop.scale_probability = 0.5;
  recipe.crop.scale = {0.9, 1.1};
  recipe.augmentation = data::heavy_augmentation();
  recipe.augmentation.cubic = options_.official;  // linear is close, and several times faster
  return recipe;
}

InferenceRecipe MckdMethod::inference() const {
  InferenceRecipe recipe;
  recipe.activation = InferenceRecipe::Activation::kSigmoid;
  recipe.blend_probabilities = true;
  recipe.window = InferenceRecipe::Window::kUniform;
  recipe.patch = {80, 160, 160};
  recipe.overlap = 1.0 / 3;
  recipe.whole_volume = true;
  // Channels ET, WT, TC: the whole tumour first, then what lies inside it.
  recipe.channels = {
      {1, data::Tissue::kOedema}, {2, data::Tissue::kNecrosis}, {0, data::Tissue::kEnhancing}};
  return recipe;
}

const MethodEntry& mckd_entry() {
  static const MethodEntry entry = {
      .name = "mckd",
      .title = "Meta-learned cross-modal knowledge distillation",
      .source =
          "\"Enhancing Multi-modal Learning: Meta-learned Cross-modal Knowledge Distillation "
          "for Handling Missing Modalities\", 2024, arXiv 2405.07155; published code "
          "billhhh/MCKD, commit b0466a5",
      .idea =
          "One encoder is shared by all modalities, one decoder segments; the bottleneck "
          "feature of a missing modality is the mean of the available ones. A vector of "
          "modality importance is meta-learned on a few held-out cases. Its ratios weight a "
          "pairwise distillation from important to less important modalities.",
      .output =
          "logits of ET, WT, TC (three independent sigmoids follow), after the trilinear "
          "enlargement by (1,2,2)",
      .deviations =
          "The attention module that the published code builds and never uses is left out: its 4 "
          "tensors are ignored on import. Run step and published iteration agree; iteration "
          "79,999, "
          "which the published code runs in both stages (at a rate of 4e-7 in the first), runs "
          "once. "
          "Augmentation interpolates images linearly unless official is set. No post-processing of "
          "masks. Crops, subsets and augmentation are seeded.",
      .options = mckd_options(),
      .run_defaults = R"({"train": {"steps": 115000, "batch": 2}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<Method> {
        return std::make_unique<MckdMethod>(settings);
      },
      .channels_last_on_cpu = true,  // even at 64^3, a fifth faster at 96^3
  };
  return entry;
}

}  // namespace lacuna::methods
