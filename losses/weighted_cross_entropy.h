// Cross entropy of probabilities over exclusive classes, weighted by how rare a class is in its
// sample. Pure function.
#pragma once

#include <ATen/core/Tensor.h>

#include "losses/class_targets.h"

namespace lacuna::losses {

// mean over samples and voxels of -w log(clamp(p, 0.005, 1)) with p the probability of the voxel's
// class and w = ClassTargets::weight. The clamp ends the gradient where p < 0.005; a sample with a
// single class has weight 0. included: N, 1 where a sample counts and 0 where it adds nothing to
// the mean over all N; undefined: all count.
at::Tensor weighted_cross_entropy(const at::Tensor& probability, const ClassTargets& targets,
                                  const at::Tensor& included = {});

}  // namespace lacuna::losses
