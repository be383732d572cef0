// How RFNet, mmFormer and what was built on them make training samples and segmentations (cards,
// sections 5 to 7). Pure functions.
#pragma once

#include "methods/method.h"

namespace lacuna::methods {

// Axes i, j, k of the files. Crops in the brain box, z-score of everything in it, background
// included; then always a turn in one plane, a gain and an offset for each slice along i and each
// modality, and each axis mirrored half the time.
data::DataRecipe brain_box_recipe(const data::Extent& patch);

// Uniform average of probabilities over half-overlapping windows; four classes. et_minimum: an
// enhancing tumour of fewer voxels is taken for necrosis; 0: never.
InferenceRecipe brain_box_inference(const data::Extent& patch, std::int64_t et_minimum);

// Adam with AMSGrad at 2e-4, decay 1e-4 in the gradient; poly (1 - e/E)^0.9, constant for each of E
// epochs of the stage. A parameter that never has a gradient is left alone.
TrainedGroup brain_box_group(const std::string& group, std::int64_t steps, std::int64_t epochs);

}  // namespace lacuna::methods
