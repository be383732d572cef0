// How DeMoSeg is trained, makes samples and segmentations, and what it says about itself.
#include <algorithm>

#include "methods/demoseg/method.h"

namespace lacuna::methods::demoseg {

std::vector<Stage> Method::stages(std::int64_t steps) const {
  constexpr std::int64_t kEpochs = 1000;
  const OptimizerSpec sgd{.kind = OptimizerSpec::Kind::kSgd,
                          .learning_rate = 0.01,
                          .momentum = 0.99,
                          .nesterov = true,
                          .weight_decay = 3e-5,
                          .defined_zero = false,
                          .clip_norm = 12};
  const ScheduleSpec poly{.kind = ScheduleSpec::Kind::kPoly,
                          .power = 0.9,
                          .horizon = steps,
                          .granularity = std::max<std::int64_t>(1, steps / kEpochs)};
  return {{.name = "train",
           .steps = steps,
           .subsets = {{"policy", "uniform"}, {"granularity", "sample"}},
           .phases = {{.name = "train", .trains = {{"network", sgd, poly}}}}}};
}

// The augmentation of nnU-Net's first version (card, section 5).
data::DataRecipe Method::recipe() const {
  data::DataRecipe recipe;
  recipe.patch = patch_;
  recipe.normalisation = data::Normalisation::kZScore;
  data::AugmentationRecipe& change = recipe.augmentation;
  change.rotation_probability = 0.2;
  change.rotation_degrees = {-30, 30};
  change.zoom_probability = 0.2;
  change.zoom_out = {0.7, 1};
  change.zoom_in = {1, 1.4};
  change.cubic = true;
  change.noise_probability = 0.1;
  change.blur_probability = 0.2;
  change.gain_probability = 0.15;
  change.contrast_probability = 0.15;
  change.low_resolution_probability = 0.25;
  change.gamma_probability = 0.3;
  change.mirror_probability = {0.5, 0.5, 0.5};
  return recipe;
}

InferenceRecipe Method::inference() const {
  using data::Tissue;
  InferenceRecipe recipe;
  recipe.activation = InferenceRecipe::Activation::kSoftmax;
  recipe.window = InferenceRecipe::Window::kGaussian;
  recipe.patch = patch_;
  recipe.overlap = 0.5;
  recipe.whole_volume = false;
  recipe.channels = {{0, Tissue::kBackground},
                     {1, Tissue::kNecrosis},
                     {2, Tissue::kOedema},
                     {3, Tissue::kEnhancing}};
  if (options_.et_min > 0) {
    recipe.relabelled = {{Tissue::kEnhancing, options_.et_min, Tissue::kNecrosis}};
  }
  return recipe;
}

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "demoseg",
      .title = "Decoupled features of a modality and of the others",
      .source =
          "\"Decoupling Feature Representations of Ego and Other Modalities for Incomplete "
          "Multi-modal Brain Tumor Segmentation\", IEEE BIBM 2024; published code kk42yy/DeMoSeg, "
          "commit 73cd4bb",
      .idea =
          "The first level of a U-Net has a branch per modality. A quarter of a branch's channels "
          "speaks for the modality itself, the others each for one of the other modalities, whose "
          "place they take when it is missing. At every level channels are added to each other in "
          "the order of a gate, and a divergence ties what stands in to what it stands for.",
      .output = "logits of background, necrosis, oedema, enhancing tumour (softmax follows)",
      .deviations =
          "Always: crops are uniform in the volume (published: in the brain's box, enlarged to a "
          "multiple of 128 with zeros), each case comes once an epoch (published: drawn with "
          "replacement), gamma is not drawn a second time on the inverted image, windows are half "
          "a window apart and the last one ends at the border (published: evenly spaced), the "
          "normalisation of training is that of evaluation, the best checkpoint is chosen on "
          "validation cases. The published mean over 8 mirrored forms: lacuna eval --mirrored. "
          "Without official no enhancing tumour is taken for necrosis.",
      .options = binding().declared(),
      .run_defaults = R"({"train": {"steps": 250000, "batch": 2}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::demoseg
