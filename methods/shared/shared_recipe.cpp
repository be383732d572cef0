#include "methods/shared/shared_recipe.h"

#include "data/augment/augmentation.h"

namespace lacuna::methods {

data::DataRecipe shared_data_recipe(const SharedRecipe& choices) {
  data::DataRecipe recipe;
  recipe.patch = {80, 160, 160};
  recipe.normalisation = data::Normalisation::kCappedZScore;
  recipe.crop.centred_probability = 0.5 * 3 / choices.centre_choices;
  recipe.crop.centre_regions = {0, 1, 2};
  recipe.crop.margin = {0, 15, 10};
  recipe.crop.scale_probability = 0.5;
  recipe.crop.scale = {0.9, 1.1};
  recipe.augmentation = data::heavy_augmentation();
  recipe.augmentation.cubic = choices.cubic;  // linear is close, and several times faster
  return recipe;
}

InferenceRecipe shared_inference(const SharedRecipe& choices) {
  InferenceRecipe recipe;
  recipe.activation = InferenceRecipe::Activation::kSigmoid;
  recipe.blend_probabilities = true;
  if (choices.gaussian) recipe.window = InferenceRecipe::Window::kGaussian;
  recipe.patch = {80, 160, 160};
  recipe.overlap = 1.0 / 3;
  recipe.whole_volume = true;
  // Channels ET, WT, TC: the whole tumour first, then what lies inside it.
  recipe.channels = {
      {1, data::Tissue::kOedema}, {2, data::Tissue::kNecrosis}, {0, data::Tissue::kEnhancing}};
  if (choices.et_min > 0) {
    recipe.relabelled = {{data::Tissue::kEnhancing, choices.et_min, data::Tissue::kNecrosis}};
  }
  return recipe;
}

}  // namespace lacuna::methods
