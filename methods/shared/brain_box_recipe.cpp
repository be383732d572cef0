#include "methods/shared/brain_box_recipe.h"

#include <algorithm>

namespace lacuna::methods {

// mmFormer card, sections 5 and 6. The published code counts the angle in [-10, 10).
data::DataRecipe brain_box_recipe(const data::Extent& patch) {
  data::DataRecipe recipe;
  recipe.patch = patch;
  recipe.axes = {1, 2, 0};
  recipe.normalisation = data::Normalisation::kZScore;
  recipe.background = data::Background::kNormalised;
  recipe.crop.inside_box = true;
  recipe.augmentation.plane_turn_degrees = {-10, 9};
  recipe.augmentation.plane_turn_fill = -1;
  recipe.augmentation.slice_gain = {0.9, 1.1};
  recipe.augmentation.slice_offset = {-0.1, 0.1};
  recipe.augmentation.slice_axis = 0;
  recipe.augmentation.mirror_probability = {0.5, 0.5, 0.5};
  return recipe;
}

InferenceRecipe brain_box_inference(const data::Extent& patch, std::int64_t et_minimum) {
  using data::Tissue;
  InferenceRecipe recipe;
  recipe.activation = InferenceRecipe::Activation::kSoftmax;
  recipe.patch = patch;
  recipe.overlap = 0.5;
  recipe.whole_volume = false;
  recipe.channels = {{0, Tissue::kBackground},
                     {1, Tissue::kNecrosis},
                     {2, Tissue::kOedema},
                     {3, Tissue::kEnhancing}};
  if (et_minimum > 0) {
    recipe.relabelled = {{Tissue::kEnhancing, et_minimum, Tissue::kNecrosis}};
  }
  return recipe;
}

TrainedGroup brain_box_group(const std::string& group, std::int64_t steps, std::int64_t epochs) {
  return {group,
          {.kind = OptimizerSpec::Kind::kAdam,
           .learning_rate = 2e-4,
           .weight_decay = 1e-4,
           .amsgrad = true,
           .defined_zero = false},
          {.kind = ScheduleSpec::Kind::kPoly,
           .power = 0.9,
           .horizon = steps,
           .granularity = std::max<std::int64_t>(1, steps / epochs)}};
}

}  // namespace lacuna::methods
