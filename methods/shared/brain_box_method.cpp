#include "methods/shared/brain_box_method.h"

#include "methods/shared/brain_box_recipe.h"

namespace lacuna::methods {
namespace {

constexpr const char* kNetwork = "network";

}  // namespace

BrainBoxMethod::BrainBoxMethod(const MethodSettings& settings, const BrainBoxRun& run)
    : run_(run), order_(settings.modalities, rfnet_order()) {
  run_.patch = settings.patch.value_or(run.patch);
}

std::vector<ParameterGroup> BrainBoxMethod::groups() {
  ParameterGroup network{kNetwork, {}};
  for (const auto& item : module().named_parameters()) {
    if (learns(item.key())) network.parameters.push_back(item.key());
  }
  return {network};
}

TrainedGroup BrainBoxMethod::trained(const std::string& group, std::int64_t steps) const {
  return brain_box_group(group, steps, run_.epochs);
}

std::vector<Stage> BrainBoxMethod::stages(std::int64_t steps) const {
  return {
      {.name = "train",
       .steps = steps,
       .subsets = {{"policy", "uniform"}, {"granularity", run_.batch_subset ? "batch" : "sample"}},
       .phases = {
           {.name = "train", .trains = {trained(kNetwork, steps)}, .joint = !run_.local_dice}}}};
}

data::DataRecipe BrainBoxMethod::recipe() const { return brain_box_recipe(run_.patch); }

InferenceRecipe BrainBoxMethod::inference() const {
  return brain_box_inference(run_.patch, run_.et_min);
}

}  // namespace lacuna::methods
