// How the toy makes training samples and segmentations, and what it says about itself.
#include "data/types/tissue.h"
#include "tests/methods/toy/method.h"

namespace lacuna::methods::toy {

data::DataRecipe Method::recipe() const {
  data::DataRecipe recipe;
  recipe.patch = {64, 64, 64};
  recipe.normalisation = data::Normalisation::kZScore;
  return recipe;
}

InferenceRecipe Method::inference() const {
  InferenceRecipe recipe;
  recipe.patch = {64, 64, 64};
  // Channels ET, TC, WT: the whole tumour first, then what lies inside it.
  recipe.channels = {
      {2, data::Tissue::kOedema}, {1, data::Tissue::kNecrosis}, {0, data::Tissue::kEnhancing}};
  return recipe;
}

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "toy",
      .title = "Mean of available features",
      .source = "after HeMIS (Havaei et al., 2016)",
      .idea = "Each modality has an encoder; the features of the available ones are averaged.",
      .output = "logits of ET, TC, WT (three independent sigmoids follow)",
      .deviations = "one convolution deep",
      .options = binding().declared(),
      .run_defaults = R"({"train": {"steps": 1000, "batch": 2}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::toy
