#include "methods/unet/method.h"

#include <ATen/ATen.h>

#include "data/augment/augmentation.h"
#include "data/types/tissue.h"
#include "losses/cross_entropy.h"
#include "losses/precise.h"
#include "losses/region_targets.h"
#include "losses/soft_dice.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/zero_fill.h"

namespace lacuna::methods::unet {
namespace {

constexpr const char* kNetwork = "network";

std::vector<data::Region> regions_of(const Options& options) {
  std::vector<data::Region> regions = data::tumour_regions();
  if (options.resection) {
    regions.push_back({"RC", 1u << static_cast<unsigned>(data::Tissue::kResection)});
  }
  return regions;
}

// The ranges of nnU-Net v2's default trainer for three axes; its gamma of the inverted image is
// left out.
data::AugmentationRecipe full_augmentation() {
  data::AugmentationRecipe recipe = data::heavy_augmentation();
  recipe.elastic_probability = 0;
  recipe.rotation_degrees = {-30, 30};
  recipe.zoom_out = {0.7, 1};
  recipe.zoom_in = {1, 1.4};
  recipe.offset_probability = 0;
  recipe.gamma_probability = 0.3;
  return recipe;
}

}  // namespace

Method::Method(const MethodSettings& settings)
    : options_(binding().parse(settings.options)),
      regions_(regions_of(options_)),
      network_(std::make_shared<Network>(Shape{.in = settings.modalities.size(),
                                               .out = static_cast<std::int64_t>(regions_.size()),
                                               .levels = options_.levels,
                                               .width = settings.width,
                                               .deep_supervision = options_.deep_supervision})) {}

std::vector<ParameterGroup> Method::groups() {
  ParameterGroup group{kNetwork, {}};
  for (const auto& item : network_->named_parameters()) group.parameters.push_back(item.key());
  return {group};
}

// nnU-Net: SGD with Nesterov momentum 0.99, rate 1e-2 falling as (1 - i/steps)^0.9, weight decay
// 3e-5, gradient norm at most 12.
std::vector<Stage> Method::stages(std::int64_t steps) const {
  OptimizerSpec sgd;
  sgd.kind = OptimizerSpec::Kind::kSgd;
  sgd.learning_rate = 1e-2;
  sgd.momentum = 0.99;
  sgd.nesterov = true;
  sgd.weight_decay = 3e-5;
  sgd.clip_norm = 12;
  ScheduleSpec schedule;
  schedule.kind = ScheduleSpec::Kind::kPoly;
  schedule.horizon = steps;
  Phase phase;
  phase.name = "train";
  phase.trains = {{kNetwork, sgd, schedule}};
  Stage stage;
  stage.name = "train";
  stage.steps = steps;
  stage.subsets = {{"policy", options_.training_subsets}, {"granularity", "sample"}};
  stage.phases = {phase};
  return {stage};
}

// nnU-Net's crop rule (a third of the crops centred on tumour) and, unless asked for all of it, the
// lighter part of its augmentation: mirroring and intensities.
data::DataRecipe Method::recipe() const {
  data::DataRecipe recipe;
  recipe.patch = {128, 128, 128};
  recipe.normalisation = data::Normalisation::kZScore;
  recipe.crop.centred_probability = 1.0 / 3;
  recipe.crop.centre_regions = {0, 1, 2};
  if (options_.full_augmentation) {
    recipe.augmentation = full_augmentation();
    return recipe;
  }
  data::AugmentationRecipe& augmentation = recipe.augmentation;
  augmentation.noise_probability = 0.1;
  augmentation.gain_probability = 0.15;
  augmentation.contrast_probability = 0.15;
  augmentation.gamma_probability = 0.15;
  augmentation.mirror_probability = {0.5, 0.5, 0.5};
  return recipe;
}

InferenceRecipe Method::inference() const {
  InferenceRecipe recipe;
  recipe.activation = InferenceRecipe::Activation::kSigmoid;
  recipe.window = InferenceRecipe::Window::kGaussian;
  recipe.patch = {128, 128, 128};
  recipe.overlap = 0.5;
  recipe.whole_volume = false;  // outside the brain box the image is zero
  // Channels ET, TC, WT: the whole tumour first, then what lies inside it.
  recipe.channels = {
      {2, data::Tissue::kOedema}, {1, data::Tissue::kNecrosis}, {0, data::Tissue::kEnhancing}};
  // The cavity is no part of the tumour, which counts where both say so.
  if (options_.resection) {
    recipe.channels.insert(recipe.channels.begin(), {3, data::Tissue::kResection});
  }
  return recipe;
}

data::Extent Method::extent_multiple() const {
  const std::int64_t multiple = std::int64_t{1} << (options_.levels - 1);
  return {multiple, multiple, multiple};
}

Loss Method::loss(const std::string&, const Batch& batch, const Progress&) {
  const auto& size = batch.image.sizes();
  require_extent({size[2], size[3], size[4]}, extent_multiple(), "input");
  const std::vector<at::Tensor> levels =
      network_->forward(zero_fill(batch.image, batch.subsets.at(0)));
  at::Tensor dice, bce;
  double weight = 1, weights = 0;
  for (std::size_t level = 0; level < levels.size(); ++level, weight /= 2) {
    const at::Tensor logits = losses::precise(levels[level]);
    const std::int64_t stride = std::int64_t{1} << level;
    at::Tensor label = batch.label;
    for (int axis = 1; axis <= 3; ++axis) label = label.slice(axis, 0, label.size(axis), stride);
    const at::Tensor target = losses::region_targets(label, regions_, logits.scalar_type());
    const at::Tensor d = weight * losses::soft_dice_with_logits(logits, target);
    const at::Tensor b =
        weight / double(logits.size(1)) * losses::summed_cross_entropy_with_logits(logits, target);
    dice = level == 0 ? d : dice + d;
    bce = level == 0 ? b : bce + b;
    weights += weight;
  }
  dice = dice / weights;
  bce = bce / weights;
  return {dice + bce, {{"dice", dice}, {"bce", bce}}};
}

// encode() and decode() stay the default: modalities meet in the first convolution. Doing that one
// a modality at a time would save the 2 % of the arithmetic that it makes up.
at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  require_extent({image.size(2), image.size(3), image.size(4)}, extent_multiple(), "input");
  const std::vector<SubsetMask> subsets(image.size(0), subset);
  return network_->forward(zero_fill(image, subsets)).front();
}

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "unet",
      .title = "Plain U-Net over zero-filled modalities",
      .source = "network and recipe after nnU-Net (Isensee et al., Nature Methods 2021)",
      .idea =
          "All modalities are input channels of one 3-D U-Net; a missing one is a channel of "
          "zeros. "
          "Training drops random modalities of each sample. Nothing tells the network what is "
          "missing: the baseline that a method for missing modalities has to beat.",
      .output = "logits of ET, TC, WT (independent sigmoids follow); with resection also RC",
      .deviations =
          "No spatial augmentation but mirroring and no deep supervision unless asked for "
          "(augmentation=nnunet, deep_supervision=true); no convolution bias in front of a norm; "
          "Dice per sample with 1 in the denominator.",
      .options = binding().declared(),
      .run_defaults = R"({"train": {"steps": 250000, "batch": 2}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
      .channels_last_on_cpu = true,
  };
  return entry;
}

}  // namespace lacuna::methods::unet
