#include "methods/robust_mseg/method.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/class_sums.h"
#include "losses/precise.h"
#include "methods/shared/availability.h"
#include "methods/shared/extent_check.h"
#include "models/initialisation.h"

namespace lacuna::methods::robust_mseg {
namespace {

using losses::precise;
using models::GatedShares;

constexpr const char* kPlain = "plain";
constexpr std::int64_t kEpochs = 300;  // published

std::vector<GatedShares> shares_of(const Network& network, const at::Tensor& ordered,
                                   const std::function<bool(int)>& wanted) {
  std::vector<GatedShares> shares(static_cast<std::size_t>(ordered.size(1)));
  for (std::size_t m = 0; m < shares.size(); ++m) {
    if (!wanted(static_cast<int>(m))) continue;
    shares[m] = network.shares(ordered.narrow(1, static_cast<std::int64_t>(m), 1), m);
  }
  return shares;
}

}  // namespace

Method::Method(const MethodSettings& settings)
    : options_(binding().parse(settings.options)),
      order_(settings.modalities, rfnet_order()),
      patch_(settings.patch.value_or(kGatedPatch)) {
  require_extent(patch_, extent_multiple(), "data.patch", kGatedDeepest);
  network_ = std::make_shared<Network>(order_.names(), options_.classes(), settings.width,
                                       options_.shared_output);
}

InferenceRecipe Method::inference() const { return gated_inference(patch_, options_.classes()); }

void Method::initialise() { models::initialise_gated(*network_, options_.glorot_bias); }

// Decay: kernels of content and style encoders, mask and image decoders (card, section 4).
std::vector<ParameterGroup> Method::groups() {
  std::vector<ParameterGroup> groups =
      kernels_and_rest(*network_, "decayed", {"ce_", "se_", "image_de_", "mask_de"});
  groups[1].name = kPlain;
  for (const auto& item : network_->named_parameters()) {
    for (const char* own : {"att_c", "fusion_c", "G_logit"}) {
      if (item.key().starts_with(own)) groups[1].parameters.push_back(item.key());
    }
  }
  return groups;
}

std::vector<Stage> Method::stages(std::int64_t steps) const {
  const ScheduleSpec poly = gated_schedule(steps, kEpochs);
  const OptimizerSpec decayed{.learning_rate = 1e-4, .weight_decay = 1e-4};
  const OptimizerSpec plain{.learning_rate = 1e-4};
  return {{.name = "train",
           .steps = steps,
           .subsets = {{"policy", "coins"}, {"granularity", "sample"}},
           .phases = {{.name = "train",
                       .trains = {{"decayed_kernels", decayed, poly}, {kPlain, plain, poly}},
                       .joint = !options_.local_sums}}}};
}

at::Tensor style_divergence(const Style& style, double epsilon) {
  const at::Tensor scale = precise(style.scale).square(), shift = precise(style.shift).square();
  return 0.5 * (scale + shift - 1 - shift.clamp_min(epsilon).log()).sum(1);
}

Loss Method::loss(const std::string&, const Batch& batch, const Progress&) {
  const at::Tensor image = order_.image(batch.image);
  const auto shares = shares_of(*network_, image, [](int) { return true; });
  const auto fused = network_->fuse(shares, order_.mask(batch.subsets.at(0), batch.image));
  const at::Tensor logits = precise(network_->decode(fused).logits);

  const auto targets = losses::class_targets(batch.label, options_.classes(), logits.scalar_type());
  at::Tensor sums = losses::class_sums(logits.softmax(1), targets);
  if (batch.over_ranks && !options_.local_sums) sums = batch.over_ranks(sums);
  const auto [cross_entropy, dice] = losses::class_losses(sums);

  // What the case never had has neither an image to rebuild nor a style (Batch::available).
  const at::Tensor there = order_.mask(available_of(batch), batch.image).to(logits.scalar_type());
  at::Tensor images, divergence;
  for (std::size_t m = 0; m < shares.size(); ++m) {
    const auto at = static_cast<std::int64_t>(m);
    const at::Tensor own = image.narrow(1, at, 1), counts = there.select(1, at);
    const auto rebuilt = network_->rebuild(fused.back(), own, m);
    const at::Tensor error =
        (precise(own) - precise(rebuilt.image)).abs().flatten(1).mean(1) * counts;
    const at::Tensor kl = style_divergence(rebuilt.style, options_.divergence_epsilon) * counts;
    images = images.defined() ? images + error.mean() : error.mean();
    divergence = divergence.defined() ? divergence + kl.mean() : kl.mean();
  }
  return {cross_entropy + dice + options_.image_weight * images +
              options_.divergence_weight * divergence,
          {{"ce", cross_entropy},
           {"dice", dice},
           {"reconstruction_l1_sum", images},
           {"kl_sum", divergence}},
          logits.detach()};
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  const auto shares =
      shares_of(*network_, order_.image(image), [&](int m) { return order_.contains(subset, m); });
  return network_->decode(network_->fuse(shares, {})).logits;
}

Features Method::encode(const at::Tensor& image) {
  const torch::NoGradGuard no_grad;
  Features features;
  for (const GatedShares& own :
       shares_of(*network_, order_.image(image), [](int) { return true; })) {
    features.insert(features.end(), own.gates.begin(), own.gates.end());
    features.insert(features.end(), own.features.begin(), own.features.end());
  }
  return features;
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> outputs;
  for (const SubsetMask subset : subsets) {
    std::vector<GatedShares> present(static_cast<std::size_t>(order_.size()));
    for (std::size_t m = 0; m < present.size(); ++m) {
      if (!order_.contains(subset, static_cast<int>(m))) continue;
      const auto gates =
          features.begin() + static_cast<std::ptrdiff_t>(m) * 2 * models::kGatedLevels;
      const auto rest = gates + models::kGatedLevels;
      present[m].gates.assign(gates, rest);
      present[m].features.assign(rest, rest + models::kGatedLevels);
    }
    outputs.push_back(network_->decode(network_->fuse(present, {})).logits);
  }
  return at::stack(outputs);
}

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "robust-mseg",
      .title = "Feature disentanglement and gated fusion",
      .source =
          "\"Robust Multimodal Brain Tumor Segmentation via Feature Disentanglement and Gated "
          "Fusion\", MICCAI 2019, arXiv 2002.09708; published code cchen-cc/Robust-Mseg",
      .idea =
          "Each modality is split into a style, eight numbers, and content at four scales. "
          "Voxel-wise gates merge the contents of the modalities that are there. One decoder "
          "segments from what is merged, and one per modality rebuilds its image from it and the "
          "modality's own style, whether the modality was dropped or not.",
      .output = "logits of background, necrosis, oedema, enhancing tumour (softmax follows)",
      .deviations =
          "Without official: biases begin at 0, and a style's squared shift is at least 1e-12 "
          "under its logarithm. Always: four classes, and a resection cavity is background "
          "(resection=class: a fifth); an epoch is a 300th of the run; a modality that a training "
          "case never had is neither rebuilt nor has a style; the best checkpoint is chosen on "
          "validation cases (published: on those of the test). Crops and subsets are seeded.",
      .options = binding().declared(),
      // 300 epochs of 300 steps.
      .run_defaults = R"({"train": {"steps": 90000, "batch": 1}})",
      .epochs = kEpochs,
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::robust_mseg
