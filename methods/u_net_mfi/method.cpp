#include "methods/u_net_mfi/method.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/precise.h"
#include "losses/region_targets.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/zero_fill.h"
#include "models/initialisation.h"

namespace lacuna::methods::u_net_mfi {
namespace {

using losses::precise;

constexpr const char* kGroup = "network";
constexpr data::Extent kPatch{128, 128, 128}, kWindow{120, 120, 120};
constexpr double kSmooth = 1e-5;

struct Named {
  std::string name;
  at::Tensor logits;
};

// In the order of the published code, under the names of its outputs.
std::vector<Named> named_outputs(const Outputs& out) {
  std::vector<Named> list;
  const auto add = [&](const char* name, const std::vector<at::Tensor>& each) {
    for (std::size_t m = 0; m < each.size(); ++m) {
      list.push_back({fmt::format("{}{}", name, m + 1), each[m]});
    }
  };
  add("stage1_", out.quarter);
  add("stage2_", out.half);
  add("out", out.branches);
  list.push_back({"cat_out", out.combined});
  return list;
}

// Per region over the batch: sum p y, sum p, sum y. 3 x R.
at::Tensor dice_sums(const at::Tensor& logits, const at::Tensor& target) {
  const at::Tensor p = logits.sigmoid();
  return at::stack({(p * target).sum({0, 2, 3, 4}), p.sum({0, 2, 3, 4}), target.sum({0, 2, 3, 4})});
}

// Card, section 4: the mean over regions of 1 - (2 sum p y + e) / (sum p + sum y + e).
at::Tensor dice_loss(const at::Tensor& sums) {
  return (1 - (2 * sums.select(0, 0) + kSmooth) / (sums.select(0, 1) + sums.select(0, 2) + kSmooth))
      .mean();
}

}  // namespace

std::vector<data::Region> regions() {
  const auto all = data::tumour_regions();  // ET, TC, WT
  return {all[2], all[1], all[0]};
}

Method::Method(const MethodSettings& settings)
    : options_(binding().parse(settings.options)),
      order_(settings.modalities, rfnet_order()),
      patch_(settings.patch.value_or(kPatch)) {
  require_extent(patch_, extent_multiple(), "data.patch");
  network_ = std::make_shared<Network>(static_cast<std::size_t>(order_.size()), settings.width);
}

void Method::initialise() { models::initialise_fan_in(*network_); }

// Relations of the published blocks that are declared and never run.
std::vector<std::string> Method::ignored_official_names() const {
  std::vector<std::string> names;
  for (int block = 1; block <= 5; ++block) {
    for (int m = 2; m <= order_.size(); ++m) {
      names.push_back(fmt::format("diff{}.Relation{}.", block, m));
    }
  }
  return names;
}

std::vector<ParameterGroup> Method::groups() {
  ParameterGroup group{kGroup, {}};
  for (const auto& item : network_->named_parameters()) group.parameters.push_back(item.key());
  return {group};
}

// Card, section 5: Adam with decay 1e-5 in the gradient; epoch e of 1200 at 5e-5 (1 - e/1200)^0.9.
std::vector<Stage> Method::stages(std::int64_t steps) const {
  const OptimizerSpec adam{.learning_rate = 5e-5, .weight_decay = 1e-5};
  const ScheduleSpec poly{
      .kind = ScheduleSpec::Kind::kPoly, .power = 0.9, .horizon = steps, .per_epoch = true};
  return {
      {.name = "train",
       .steps = steps,
       .subsets = {{"policy", "uniform"}, {"granularity", "sample"}},
       .phases = {
           {.name = "train", .trains = {{kGroup, adam, poly}}, .joint = !options_.local_dice}}}};
}

// A turn in one plane and mirroring along each axis half the time; the z-score holds for the
// background as well.
data::DataRecipe Method::recipe() const {
  data::DataRecipe recipe;
  recipe.patch = patch_;
  recipe.axes = {1, 2, 0};
  recipe.normalisation = data::Normalisation::kZScore;
  recipe.background = data::Background::kNormalised;
  recipe.augmentation.plane_turn_degrees = {-10, 9};
  recipe.augmentation.plane_turn_fill = 0;
  recipe.augmentation.mirror_probability = {0.5, 0.5, 0.5};
  return recipe;
}

// Windows of 120 every 40 voxels; logits are averaged, over flips too where asked for.
InferenceRecipe Method::inference() const {
  using data::Tissue;
  InferenceRecipe recipe;
  recipe.activation = InferenceRecipe::Activation::kSigmoid;
  recipe.blend_probabilities = false;
  recipe.patch = patch_ == kPatch ? kWindow : patch_;
  recipe.overlap = 2.0 / 3;
  recipe.channels = {{0, Tissue::kOedema}, {1, Tissue::kNecrosis}, {2, Tissue::kEnhancing}};
  if (options_.et_min > 0) {
    recipe.relabelled = {{Tissue::kEnhancing, options_.et_min, Tissue::kNecrosis}};
  }
  return recipe;
}

Outputs Method::run(const at::Tensor& image, const at::Tensor& code, bool deep,
                    std::vector<std::vector<at::Tensor>>* interacted) const {
  std::vector<Early> early;
  for (std::int64_t m = 0; m < image.size(1); ++m) {
    early.push_back(network_->early(image.narrow(1, m, 1), static_cast<std::size_t>(m)));
  }
  return network_->forward(early, code, deep, interacted);
}

Loss Method::loss(const std::string&, const Batch& batch, const Progress&) {
  const at::Tensor code = order_.mask(batch.subsets.at(0), batch.image);
  const at::Tensor image = order_.image(zero_fill(batch.image, batch.subsets.at(0)));
  const Outputs out = run(image, code, /*deep=*/true);
  const at::Tensor target =
      losses::region_targets(batch.label, regions(), precise(out.combined).scalar_type());
  const std::vector<Named> outputs = named_outputs(out);
  std::vector<at::Tensor> own, cross;
  for (const Named& each : outputs) {
    const at::Tensor logits = precise(each.logits);
    own.push_back(dice_sums(logits, target));
    cross.push_back(at::binary_cross_entropy_with_logits(logits, target));
  }
  at::Tensor sums = at::stack(own);
  if (batch.over_ranks && !options_.local_dice) sums = batch.over_ranks(sums);
  Loss loss;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const at::Tensor part =
        dice_loss(sums.select(0, static_cast<std::int64_t>(i))) + 0.5 * cross[i];
    loss.parts.emplace_back(outputs[i].name, part);
    loss.total = loss.total.defined() ? loss.total + part : part;
  }
  loss.output = out.combined.detach();
  return loss;
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  const std::vector<SubsetMask> subsets(static_cast<std::size_t>(image.size(0)), subset);
  return run(order_.image(zero_fill(image, subsets)), order_.mask(subsets, image), /*deep=*/false)
      .mean();
}

Features Method::encode(const at::Tensor& image) {
  const torch::NoGradGuard no_grad;
  const at::Tensor ordered = order_.image(image);
  Features features;
  for (std::int64_t m = 0; m < ordered.size(1); ++m) {
    const at::Tensor own = ordered.narrow(1, m, 1);
    for (const at::Tensor& seen : {own, at::zeros_like(own)}) {
      const Early made = network_->early(seen, static_cast<std::size_t>(m));
      features.insert(features.end(), {made.skip, made.features});
    }
  }
  return features;
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const torch::NoGradGuard no_grad;
  const auto samples = static_cast<std::size_t>(features.front().size(0));
  std::vector<at::Tensor> decoded;
  for (const SubsetMask subset : subsets) {
    std::vector<Early> early;
    for (int m = 0; m < order_.size(); ++m) {
      const std::size_t from =
          4 * static_cast<std::size_t>(m) + (order_.contains(subset, m) ? 0 : 2);
      early.push_back({features[from], features[from + 1]});
    }
    const at::Tensor code = order_.mask(std::vector<SubsetMask>(samples, subset), features.front());
    decoded.push_back(network_->forward(early, code, /*deep=*/false).mean());
  }
  return at::stack(decoded);
}

const OptionBinding<Options>& binding() {
  static const auto options =
      OptionBinding<Options>()
          .flag("official", &Options::official, false,
                "The published code wherever it deviates: the default of each key below that is "
                "null.")
          .flag("local_dice", &Options::local_dice, false,
                "Dice sums over the samples of each rank alone; without it over the whole batch, "
                "as in the published code.")
          .integer("et_min", &Options::et_min, by_official<std::int64_t>(0, 101),
                   "An enhancing tumour of fewer voxels is taken for necrosis; 0: never.",
                   {.minimum = 0, .unit = "voxels"});
  return options;
}

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "u-net-mfi",
      .title = "Modality-adaptive feature interaction",
      .source =
          "\"Modality-adaptive Feature Interaction for Brain Tumor Segmentation with Missing "
          "Modalities\", MICCAI 2022; published code zzc1909/UNET-MFI, commit 136f342",
      .idea =
          "Each modality has a U-Net of its own. After several stages the mean features of the "
          "modalities, and which of them are there, go through a small network that weighs, for "
          "each modality, the features of all; their weighted sum is added to its own. What is "
          "missing is an image of zeros and takes part.",
      .output = "logits of WT, TC, ET: the mean over the branches' and the combined head's",
      .deviations =
          "Always: images are z-scored in the brain (published: clipped to the percentiles 0.2 and "
          "99.8 first); the relations that the published blocks declare and never run are left "
          "out; the best checkpoint is chosen on validation cases over all subsets (published: "
          "the snapshot of epoch 1050). Mirroring in inference is off (lacuna eval --mirrored "
          "switches it on).",
      .options = binding().declared(),
      // 1200 epochs of 198 cases (BraTS 2018).
      .run_defaults = R"({"train": {"steps": 237600, "batch": 1}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::u_net_mfi
