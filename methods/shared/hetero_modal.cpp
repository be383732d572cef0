#include "methods/shared/hetero_modal.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/types.h>

#include "losses/precise.h"
#include "models/modality_names.h"

namespace lacuna::methods {
namespace {

constexpr const char* kNetwork = "network";

}  // namespace

std::vector<std::shared_ptr<models::HeteroEncoder>> hetero_encoders(
    torch::nn::Module& module, const data::ModalitySet& modalities, double width, bool halved) {
  std::vector<std::shared_ptr<models::HeteroEncoder>> encoders;
  for (const std::string& modality : modalities.names()) {
    encoders.push_back(
        module.register_module(models::published_modality_name(modality) + "_encoder",
                               std::make_shared<models::HeteroEncoder>(width, halved)));
  }
  return encoders;
}

std::vector<ParameterGroup> hetero_groups(const torch::nn::Module& module) {
  ParameterGroup network{kNetwork, {}};
  for (const auto& item : module.named_parameters()) network.parameters.push_back(item.key());
  return {network};
}

std::vector<Stage> hetero_stages(std::int64_t steps) {
  const OptimizerSpec adam{.learning_rate = 1e-3};
  const ScheduleSpec quarters{.kind = ScheduleSpec::Kind::kStep,
                              .factor = 0.25,
                              .every = std::max<std::int64_t>(1, (steps + 5) / 6)};
  return {{.name = "train",
           .steps = steps,
           .subsets = {{"policy", "cardinality"}, {"granularity", "batch"}},
           .phases = {{.name = "train", .trains = {{kNetwork, adam, quarters}}}}}};
}

// Published: a uniform window of 112^3 inside the box of the brain, whole volumes mirrored along
// each axis half the time and scaled by 1 +- 0.1 along each axis.
data::DataRecipe hetero_recipe(const data::Extent& patch) {
  data::DataRecipe recipe;
  recipe.patch = patch;
  recipe.axes = {1, 2, 0};
  recipe.normalisation = data::Normalisation::kZScore;
  recipe.crop.inside_box = true;
  recipe.augmentation.zoom_each_axis = {0.9, 1.1};
  recipe.augmentation.mirror_probability = {0.5, 0.5, 0.5};
  return recipe;
}

InferenceRecipe hetero_inference(const data::Extent& patch) {
  InferenceRecipe recipe;
  recipe.activation = InferenceRecipe::Activation::kSoftmax;
  recipe.patch = patch;
  recipe.overlap = 0.25;
  recipe.whole_volume = false;
  using data::Tissue;
  recipe.channels = {{0, Tissue::kBackground},
                     {1, Tissue::kNecrosis},
                     {2, Tissue::kOedema},
                     {3, Tissue::kEnhancing}};
  return recipe;
}

HeteroSegmentationLoss hetero_segmentation_loss(const at::Tensor& logits, const at::Tensor& label,
                                                double numerator) {
  const at::Tensor classes = at::where(label < kHeteroClasses, label, 0).to(at::kLong);
  const at::Tensor log_p = logits.log_softmax(1);
  const at::Tensor truth =
      at::one_hot(classes, kHeteroClasses).movedim(-1, 1).to(logits.scalar_type()).flatten(2);
  const at::Tensor p = log_p.exp().flatten(2);
  const at::Tensor overlap = 2 * (p * truth).sum(2) + numerator;
  return {at::nll_loss_nd(log_p, classes),
          1 - (overlap / (p.square().sum(2) + truth.sum(2) + 1e-5)).mean()};
}

at::Tensor hetero_decay(const torch::nn::Module& module, double weight) {
  at::Tensor sum;
  double kernels = 0;
  for (const at::Tensor& parameter : module.parameters()) {
    if (parameter.dim() < 2) continue;
    const at::Tensor square = losses::precise(parameter).square().sum() / 2;
    sum = sum.defined() ? sum + square : square;
    ++kernels;
  }
  return sum * (weight / kernels);
}

}  // namespace lacuna::methods
