// How RA-HVED is trained, what it sees, and what becomes of its output (card, sections 5 to 7).
#include "methods/ra_hved/method.h"

namespace lacuna::methods::ra_hved {
namespace {

constexpr const char* kGenerator = "generator";
constexpr const char* kDiscriminator = "discriminator";

}  // namespace

std::vector<ParameterGroup> Method::groups() {
  ParameterGroup generator{kGenerator, {}}, discriminator{kDiscriminator, {}};
  for (const auto& item : module_->named_parameters()) {
    (item.key().starts_with("disc.") ? discriminator : generator).parameters.push_back(item.key());
  }
  return {generator, discriminator};
}

// Epoch e of E: 1e-4 (1 - e/E)^0.9.
std::vector<Stage> Method::stages(std::int64_t steps) const {
  const OptimizerSpec adam{.learning_rate = 1e-4, .weight_decay = 1e-5};
  const ScheduleSpec poly{
      .kind = ScheduleSpec::Kind::kPoly, .power = 0.9, .horizon = steps, .per_epoch = true};
  Stage stage{
      .name = "train",
      .steps = steps,
      .subsets = {{"policy", "cardinality"}, {"max_size", 3}, {"granularity", "sample"}},
      .phases = {{.name = "generator", .trains = {{kGenerator, adam, poly}}, .joint = true}}};
  if (options_.adversarial_weight > 0) {
    stage.phases.push_back({.name = "discriminator", .trains = {{kDiscriminator, adam, poly}}});
  }
  return {stage};
}

// Published: one offset for all channels, a * (deviation of the channel), which is 1 after the
// z-score.
data::DataRecipe Method::recipe() const {
  data::DataRecipe recipe;
  recipe.patch = patch_;
  recipe.axes = {1, 2, 0};
  recipe.normalisation = data::Normalisation::kZScore;
  recipe.background = data::Background::kNormalised;
  recipe.crop.inside_box = true;
  recipe.augmentation.common_offset = {-0.1, 0.1};
  recipe.augmentation.mirror_probability = {0.5, 0.5, 0.5};
  return recipe;
}

// Painted one over the other; a region is the union of its channel and those inside it.
InferenceRecipe Method::inference() const {
  InferenceRecipe recipe;
  recipe.activation = InferenceRecipe::Activation::kSigmoid;
  recipe.patch = patch_;
  recipe.overlap = options_.overlap;
  recipe.whole_volume = false;
  using data::Tissue;
  recipe.channels = {{0, Tissue::kOedema}, {1, Tissue::kNecrosis}, {2, Tissue::kEnhancing}};
  return recipe;
}

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "ra-hved",
      .title = "Region-of-interest attentive heteromodal variational encoder-decoder",
      .source =
          "\"Region-of-Interest Attentive Heteromodal Variational Encoder-Decoder for Segmentation "
          "with Missing Modalities\", ACCV 2022; published code ssjx10/RA-HVED, commit 23a1543",
      .idea =
          "Each modality has an encoder that states a Gaussian at every scale; those of the "
          "modalities that are there are multiplied with a prior. The segmentation decoder gates "
          "its skips by attention. A discriminator compares the segmentation and the rebuilt "
          "images (weighted in the tumour) of a subset with those of all modalities.",
      .output = "logits of WT, TC, ET (independent sigmoids)",
      .deviations =
          "Without official: biases start from 0 (published: N(0, 1)). Always: all four subsets of "
          "three modalities are drawn (published: {T1, T2, FLAIR} never); intensities are shifted "
          "by up to 0.1, the deviation of a z-scored image being 1; the z-score has the voxels of "
          "each modality's own brain (published: of T1c); nothing is rebuilt in evaluation; what "
          "a case lacks is in no product and is not compared with; the best checkpoint is chosen "
          "by Dice of the regions.",
      .options = binding().declared(),
      // 360 epochs of 199 cases.
      .run_defaults = R"({"train": {"steps": 71640, "batch": 1}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::ra_hved
