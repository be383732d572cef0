#include "methods/shared/gated_recipe.h"

#include <algorithm>

namespace lacuna::methods {

data::DataRecipe gated_recipe(const data::Extent& patch) {
  data::DataRecipe recipe;
  recipe.patch = patch;
  recipe.axes = {1, 2, 0};
  recipe.normalisation = data::Normalisation::kTrimmedZScore;
  recipe.background = data::Background::kNormalised;
  recipe.crop.inside_box = true;
  return recipe;
}

InferenceRecipe gated_inference(const data::Extent& patch, int classes) {
  InferenceRecipe recipe;
  recipe.activation = InferenceRecipe::Activation::kSoftmax;
  recipe.patch = patch;
  recipe.overlap = 0.5;
  recipe.whole_volume = false;
  for (int c = 0; c < classes; ++c) {  // class c is tissue c
    recipe.channels.push_back({c, static_cast<data::Tissue>(c)});
  }
  return recipe;
}

ScheduleSpec gated_schedule(std::int64_t steps, std::int64_t epochs) {
  return {.kind = ScheduleSpec::Kind::kPoly,
          .power = 0.9,
          .horizon = steps,
          .granularity = std::max<std::int64_t>(1, steps / epochs)};
}

std::vector<ParameterGroup> kernels_and_rest(const torch::nn::Module& module,
                                             const std::string& name,
                                             const std::vector<std::string>& beginnings) {
  ParameterGroup kernels{name + "_kernels", {}}, rest{name + "_rest", {}};
  for (const auto& item : module.named_parameters()) {
    const bool own =
        std::any_of(beginnings.begin(), beginnings.end(),
                    [&](const std::string& each) { return item.key().starts_with(each); });
    if (own) (item.value().dim() > 1 ? kernels : rest).parameters.push_back(item.key());
  }
  return {kernels, rest};
}

}  // namespace lacuna::methods
