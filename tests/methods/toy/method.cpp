#include "tests/methods/toy/method.h"

#include <torch/types.h>

#include "data/types/tissue.h"
#include "losses/cross_entropy.h"
#include "losses/region_targets.h"
#include "losses/soft_dice.h"

namespace lacuna::methods::toy {

Method::Method(const MethodSettings& settings)
    : modalities_(settings.modalities),
      options_(binding().parse(settings.options)),
      network_(
          std::make_shared<Network>(settings.modalities.size(),
                                    std::max<std::int64_t>(1, std::llround(8 * settings.width)))) {}

std::vector<ParameterGroup> Method::groups() {
  ParameterGroup group{"network", {}};
  for (const auto& item : network_->named_parameters()) group.parameters.push_back(item.key());
  return {group};
}

std::vector<Stage> Method::stages(std::int64_t steps) const {
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

Loss Method::loss(const std::string&, const Batch& batch, const Progress&) {
  const at::Tensor logits = forward(batch.image, batch.subsets[0][0]);
  const at::Tensor target =
      losses::region_targets(batch.label, data::tumour_regions(), logits.scalar_type());
  const at::Tensor dice = losses::soft_dice_with_logits(logits, target, options_.smooth);
  const at::Tensor bce = losses::summed_cross_entropy_with_logits(logits, target);
  return {dice + bce, {{"dice", dice}, {"bce", bce}}};
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  return decode(encode(image), {subset})[0];
}

// Every modality once, whatever subsets are asked for.
Features Method::encode(const at::Tensor& image) {
  Features features;
  for (int m = 0; m < modalities_.size(); ++m) features.push_back(network_->encode(image, m));
  return features;
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
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

}  // namespace lacuna::methods::toy
