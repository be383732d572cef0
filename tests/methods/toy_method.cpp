#include "tests/methods/toy_method.h"

#include <torch/nn/modules/conv.h>
#include <torch/types.h>

#include "data/types/tissue.h"
#include "losses/cross_entropy.h"
#include "losses/region_targets.h"
#include "losses/soft_dice.h"

namespace lacuna::methods {

namespace {

const OptionBinding<ToyOptions>& binding() {
  static const auto options = OptionBinding<ToyOptions>().number(
      "smooth", &ToyOptions::smooth, 1, "Added to the denominator of the Dice loss.",
      {.minimum = 0});
  return options;
}

}  // namespace

ToyNetwork::ToyNetwork(int modalities, std::int64_t channels) {
  for (int m = 0; m < modalities; ++m) {
    const auto options = torch::nn::Conv3dOptions(1, channels, 3).padding(1);
    encoders_.push_back(register_module("encoder" + std::to_string(m), torch::nn::Conv3d(options)));
  }
  head_ = register_module("head", torch::nn::Conv3d(torch::nn::Conv3dOptions(channels, 3, 1)));
}

at::Tensor ToyNetwork::encode(const at::Tensor& image, int modality) {
  return torch::relu(encoders_[modality]->forward(image.narrow(1, modality, 1)));
}

at::Tensor ToyNetwork::head(const at::Tensor& feature) { return head_->forward(feature); }

ToyMethod::ToyMethod(const MethodSettings& settings)
    : modalities_(settings.modalities),
      options_(binding().parse(settings.options)),
      network_(std::make_shared<ToyNetwork>(
          settings.modalities.size(),
          std::max<std::int64_t>(1, std::llround(8 * settings.width)))) {}

std::vector<ParameterGroup> ToyMethod::groups() {
  ParameterGroup group{"network", {}};
  for (const auto& item : network_->named_parameters()) group.parameters.push_back(item.key());
  return {group};
}

std::vector<Stage> ToyMethod::stages(std::int64_t steps) const {
  OptimizerSpec adam;
  adam.learning_rate = 1e-3;
  ScheduleSpec cosine;
  cosine.kind = ScheduleSpec::Kind::kCosine;
  cosine.horizon = steps;
  Phase phase;
  phase.name = "train";
  phase.trains = {{"network", adam, cosine}};
  Stage stage;
  stage.name = "train";
  stage.steps = steps;
  stage.subsets = {{"policy", "uniform"}, {"granularity", "batch"}};
  stage.phases = {phase};
  return {stage};
}

data::DataRecipe ToyMethod::recipe() const {
  data::DataRecipe recipe;
  recipe.patch = {64, 64, 64};
  recipe.normalisation = data::Normalisation::kZScore;
  return recipe;
}

InferenceRecipe ToyMethod::inference() const {
  InferenceRecipe recipe;
  recipe.patch = {64, 64, 64};
  // Channels ET, TC, WT: the whole tumour first, then what lies inside it.
  recipe.channels = {
      {2, data::Tissue::kOedema}, {1, data::Tissue::kNecrosis}, {0, data::Tissue::kEnhancing}};
  return recipe;
}

Loss ToyMethod::loss(const std::string&, const Batch& batch, const Progress&) {
  const at::Tensor logits = forward(batch.image, batch.subsets[0][0]);
  const at::Tensor target =
      losses::region_targets(batch.label, data::tumour_regions(), logits.scalar_type());
  const at::Tensor dice = losses::soft_dice_with_logits(logits, target, options_.smooth);
  const at::Tensor bce = losses::summed_cross_entropy_with_logits(logits, target);
  return {dice + bce, {{"dice", dice}, {"bce", bce}}};
}

at::Tensor ToyMethod::forward(const at::Tensor& image, SubsetMask subset) {
  return decode(encode(image), {subset})[0];
}

// Every modality once, whatever subsets are asked for.
Features ToyMethod::encode(const at::Tensor& image) {
  Features features;
  for (int m = 0; m < modalities_.size(); ++m) features.push_back(network_->encode(image, m));
  return features;
}

at::Tensor ToyMethod::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  std::vector<at::Tensor> outputs;
  for (const SubsetMask subset : subsets) {
    at::Tensor sum;
    for (int m = 0; m < modalities_.size(); ++m) {
      if (!data::contains(subset, m)) continue;
      sum = sum.defined() ? sum + features[m] : features[m];
    }
    outputs.push_back(network_->head(sum / data::count(subset)));
  }
  return at::stack(outputs);
}

const MethodEntry& toy_entry() {
  static const MethodEntry entry = {
      .name = "toy",
      .title = "Mean of available features",
      .source = "after HeMIS (Havaei et al., 2016)",
      .idea = "Each modality has an encoder; the features of the available ones are averaged.",
      .output = "logits of ET, TC, WT (three independent sigmoids follow)",
      .deviations = "one convolution deep",
      .options = binding().declared(),
      .run_defaults = R"({"train": {"steps": 1000, "batch": 2}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<Method> {
        return std::make_unique<ToyMethod>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods
