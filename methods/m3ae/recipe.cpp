#include <algorithm>
#include <cmath>

#include "methods/m3ae/method.h"

namespace lacuna::methods::m3ae {
namespace {

// Published: 600 epochs of 228 cases by two, then 300 of 199 cases.
constexpr double kPretrainingShare = 0.534;
constexpr std::int64_t kPretrainingEpochs = 600, kEpochs = 300;

TrainedGroup adam(const char* group, double rate, double decay, std::int64_t steps,
                  std::int64_t epochs) {
  return {group,
          {.learning_rate = rate, .weight_decay = decay},
          {.kind = ScheduleSpec::Kind::kCosine,
           .horizon = steps,
           .granularity = std::max<std::int64_t>(1, steps / epochs)}};
}

}  // namespace

std::vector<Stage> Method::stages(std::int64_t steps) const {
  const Json subsets = {{"policy", "cardinality"}, {"granularity", "sample"}};
  std::vector<Stage> stages;
  std::int64_t rest = steps;
  if (options_.pretraining) {
    const auto first =
        std::clamp<std::int64_t>(std::llround(kPretrainingShare * static_cast<double>(steps)), 1,
                                 std::max<std::int64_t>(1, steps - 1));
    rest = steps - first;
    stages.push_back(
        {.name = "pretrain",
         .steps = first,
         .subsets = subsets,
         .phases = {{.name = "pretrain",
                     .trains = {adam("pre", 3e-4, 0, first, kPretrainingEpochs),
                                adam("substitute", 5e-3, 0, first, kPretrainingEpochs)}}}});
  }
  stages.push_back(
      {.name = "finetune",
       .steps = rest,
       .subsets = subsets,
       .phases = {{.name = "finetune", .trains = {adam("seg", 3e-4, 1e-4, rest, kEpochs)}}}});
  return stages;
}

// Axes k, j, i of the files. What changes samples comes after the substitute image: in the loss.
data::DataRecipe Method::recipe() const {
  data::DataRecipe recipe;
  recipe.patch = patch_;
  recipe.axes = {0, 2, 1};
  recipe.normalisation = data::Normalisation::kPercentile;
  recipe.crop.inside_box = true;
  recipe.draws = 2;
  return recipe;
}

InferenceRecipe Method::inference() const {
  using data::Tissue;
  InferenceRecipe recipe;
  recipe.activation = InferenceRecipe::Activation::kSigmoid;
  recipe.blend_probabilities = false;
  recipe.patch = patch_;
  recipe.overlap = 0.5;
  recipe.whole_volume = false;
  recipe.channels = {{2, Tissue::kOedema}, {1, Tissue::kNecrosis}, {0, Tissue::kEnhancing}};
  return recipe;
}

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "m3ae",
      .title = "Multi-modal masked auto-encoder",
      .source =
          "\"M3AE: Multimodal Representation Learning for Brain Tumor Segmentation with Missing "
          "Modalities\", AAAI 2023, arXiv 2303.05302; published code ccarliu/m3ae, commit fdb2800",
      .idea =
          "A network first learns to rebuild volumes of which most patches and whole modalities "
          "are hidden; what is hidden is replaced by an image of the whole volume that is learnt "
          "with it. That image then stands in for missing modalities while the network is tuned "
          "to segment, each case twice with different modalities, and the two passes are asked to "
          "agree.",
      .output = "logits of ET, TC, WT (independent sigmoids)",
      .deviations =
          "Without official: the bottleneck's features are compared between the two copies "
          "(paper; the published script compares the coarsest logits), and the substitute image is "
          "cut at the window's place in the volume in evaluation, too; cross entropy is of logits "
          "(published: of probabilities, whose logarithms end at -100 where a probability has "
          "rounded to 0 or 1). Always: one batch size for "
          "both stages (published 2, then 1), pre-training on the training cases alone (published: "
          "with the validation cases), both copies of a case are augmented alike, Dice is summed "
          "over the copies of each case, the crop's box has no margin, the substitute image ends "
          "in its mean, evaluation in float32 and by probability above 0.5. What a case lacks is "
          "never rebuilt. The published confidence weighting, off by default there, is not built.",
      .options = binding().declared(),
      .run_defaults = R"({"train": {"steps": 128100, "batch": 1}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::m3ae
