// How the ShaSpec code base makes training samples and segmentations, and the choices that it
// leaves; several methods were published on top of it. Pure functions.
//
// Samples: a histogram-capped z-score; half of the crops are centred on a voxel of a class; strong
// augmentation. Segmentation: windows with a third of overlap, uniform means of probabilities.
#pragma once

#include <string>

#include "methods/method.h"
#include "methods/shared/option_binding.h"

namespace lacuna::methods {

struct SharedRecipe {
  int centre_choices = 3;   // half of the crops choose among ET, TC, WT, and with 4 "no class"
  bool cubic = false;       // image interpolation in spatial augmentation; else linear
  bool gaussian = false;    // windows blend by a Gaussian; else uniformly
  std::int64_t et_min = 0;  // voxels of enhancing tumour below which it is necrosis
};

data::DataRecipe shared_data_recipe(const SharedRecipe& recipe);
InferenceRecipe shared_inference(const SharedRecipe& recipe);

// The options that fill `recipe` of a method's options, for OptionBinding::include(). published:
// the method has an option `official`, which decides them.
template <typename Options>
auto shared_recipe_options(SharedRecipe Options::*recipe, bool published = true) {
  return [recipe, published](OptionBinding<Options>& options) {
    OptionDefault<std::string> interpolation = "linear";
    OptionDefault<std::int64_t> et_min = 0;
    if (published) {
      interpolation = by_official("linear", "cubic");
      et_min = by_official(0, 500);
    }
    options
        .choice(
            "interpolation", [recipe](Options& o) -> bool& { return (o.*recipe).cubic; },
            interpolation, {{"linear", false}, {"cubic", true}},
            "Interpolation of images in spatial augmentation.")
        .choice(
            "blending", [recipe](Options& o) -> bool& { return (o.*recipe).gaussian; }, "uniform",
            {{"uniform", false}, {"gaussian", true}},
            "Weight of a voxel in its window: all alike (published code) or a Gaussian with sigma "
            "of 1/8 window.")
        .integer(
            "et_min", [recipe](Options& o) -> std::int64_t& { return (o.*recipe).et_min; }, et_min,
            "A segmentation with fewer voxels of enhancing tumour has them relabelled as necrosis; "
            "0: never.",
            {.minimum = 0, .maximum = 1e9, .unit = "voxels"});
  };
}

}  // namespace lacuna::methods
