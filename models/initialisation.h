// Random weights as the published ShaSpec and MCKD code draws them.
#pragma once

#include <torch/nn/module.h>

namespace lacuna::models {

// Every weight of a convolution or transposed convolution (5 dimensions) under `module`:
// N(0, 2 / fan_out) with fan_out = weight.size(0) * kernel voxels, which for a transposed
// convolution counts its INPUT channels, as published. Norms: scale 1, shift 0. Draws from torch's
// default generator, in the order of the parameters.
void initialise_fan_out(torch::nn::Module& module);

}  // namespace lacuna::models
