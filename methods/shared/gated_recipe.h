// What Robust-MSeg and PMKL, by the same authors, have in common beside their networks
// (models/gated_fusion.h): samples, segmentation, groups and the choices of both (cards, sections 5
// to 7). Pure functions.
#pragma once

#include <string>
#include <vector>

#include <torch/nn/module.h>

#include "methods/method.h"
#include "methods/shared/option_binding.h"

namespace lacuna::methods {

inline constexpr data::Extent kGatedPatch{80, 80, 80};
// Three strides of 2, of which the deepest maps keep two voxels for their mirrored borders.
inline constexpr data::Extent kGatedMultiple{8, 8, 8};
inline constexpr std::int64_t kGatedDeepest = 2;

struct GatedOptions {
  bool official = false;
  bool resection = false;  // a class of its own
  bool local_sums = false;
  bool glorot_bias = false;
  // background, necrosis, oedema, enhancing tumour, and with the option the resection cavity
  int classes() const { return resection ? 5 : 4; }
};

// Options: derived from GatedOptions.
template <typename Options>
void add_gated_options(OptionBinding<Options>& binding) {
  binding
      .flag("official", &Options::official, false,
            "The published code: decides every key that is null. A key that is given wins.")
      .choice("resection", &Options::resection, "background",
              {{"background", false}, {"class", true}},
              "What a resection cavity (BraTS 2024) is: background, or a fifth class.")
      .flag("local_sums", &Options::local_sums, false,
            "Class weights and the sums of a batch run over the samples of each rank alone; "
            "without it over the whole batch, as in the published code.")
      .choice("bias_start", &Options::glorot_bias, by_official("zero", "glorot"),
              {{"zero", false}, {"glorot", true}},
              "Biases of convolutions before training: 0, or what the published code's library "
              "takes when it is told nothing. Most of them are cancelled by a norm.");
}

// Axes i, j, k of the files. Uniform crops in the brain box, z-score by the voxels between the 1st
// and 99th percentile, background included; nothing else.
data::DataRecipe gated_recipe(const data::Extent& patch);

// Uniform average of probabilities over half-overlapping windows.
InferenceRecipe gated_inference(const data::Extent& patch, int classes);

// (1 - e/E)^0.9, constant for each of E epochs of a stage.
ScheduleSpec gated_schedule(std::int64_t steps, std::int64_t epochs);

// Names in `module`, as groups "<name>_kernels" (tensors of two dimensions or more) and
// "<name>_rest", of what begins with one of `beginnings`.
std::vector<ParameterGroup> kernels_and_rest(const torch::nn::Module& module,
                                             const std::string& name,
                                             const std::vector<std::string>& beginnings);

}  // namespace lacuna::methods
