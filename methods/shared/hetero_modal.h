// What U-HeMIS and U-HVED (Dorent et al., MICCAI 2019) have in common beside their blocks
// (models/hetero_unet.h): how they are trained, what segmentation costs them, and how they segment.
// Classes are background, necrosis, oedema, enhancing tumour; a resection cavity is background.
// Pure functions.
#pragma once

#include <vector>

#include <torch/nn/module.h>

#include "methods/method.h"
#include "methods/registry.h"
#include "models/hetero_unet.h"

namespace lacuna::methods {

inline constexpr std::int64_t kHeteroClasses = 4;
inline constexpr data::Extent kHeteroPatch{112, 112, 112};

// One encoder per modality of the cohort, registered under its published name.
std::vector<std::shared_ptr<models::HeteroEncoder>> hetero_encoders(
    torch::nn::Module& module, const data::ModalitySet& modalities, double width, bool halved);

// One phase `train` of one group `network`, which holds every parameter: Adam at 1e-3, a quarter of
// it after each sixth of the run (published: every 10,000 of 60,000 steps); sizes of subsets are
// drawn first.
std::vector<Stage> hetero_stages(std::int64_t steps);
std::vector<ParameterGroup> hetero_groups(const torch::nn::Module& module);
data::DataRecipe hetero_recipe(const data::Extent& patch);
InferenceRecipe hetero_inference(const data::Extent& patch);

// Cross entropy without class weights, and Dice with squared probabilities in the denominator,
// background included, per sample and class:
//   1 - mean (2 sum p g + numerator) / (sum p^2 + sum g + 1e-5)
struct HeteroSegmentationLoss {
  at::Tensor cross_entropy, dice;
};
HeteroSegmentationLoss hetero_segmentation_loss(const at::Tensor& logits, const at::Tensor& label,
                                                double numerator);

// weight * mean over kernels of |W|^2 / 2: the mean, not the sum; norms are left out.
at::Tensor hetero_decay(const torch::nn::Module& module, double weight);

}  // namespace lacuna::methods
