// How the ShaSpec code base makes training samples and segmentations (ShaSpec card, sections 5 to
// 7), which MCKD took over. Pure functions.
#pragma once

#include "methods/method.h"

namespace lacuna::methods {

// Half of the crops choose uniformly among `centre_choices`: ET, TC and WT, and with 4 of them "no
// class" (the code before September 2024, and MCKD's), and are centred on a voxel of the class.
data::DataRecipe shared_data_recipe(int centre_choices, bool cubic);

InferenceRecipe shared_inference();

}  // namespace lacuna::methods
