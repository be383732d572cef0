#include "methods/mmformer/method.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <torch/utils.h>

#include "base/error.h"
#include "methods/shared/brain_box_recipe.h"
#include "methods/shared/class_output_loss.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/transformer_dropout.h"

namespace lacuna::methods::mmformer {
namespace {

constexpr const char* kNetwork = "network";
constexpr data::Extent kPublishedPatch{128, 128, 128};
constexpr std::int64_t kEpochs = 1000;  // published
constexpr int kClasses = 4;
// Mirrored borders need two voxels along each axis, and the deepest maps have a sixteenth of them.
constexpr std::int64_t kDeepestExtent = 2;

}  // namespace

Method::Method(const MethodSettings& settings)
    : options_(binding().parse(settings.options)),
      order_(settings.modalities, rfnet_order()),
      patch_(settings.patch.value_or(kPublishedPatch)),
      map_(settings.input_map) {
  require_extent(patch_, extent_multiple(), "data.patch", kDeepestExtent);
  network_ = std::make_shared<Network>(
      models::TokenFusionShape{.modalities = order_.names(),
                               .classes = kClasses,
                               .width = settings.width,
                               .extent = patch_,
                               .style = {.norm_first = true, .border = options_.border},
                               .aligned_tokens = options_.aligned_tokens});
}

void Method::check(const at::Tensor& image, const char* what) const {
  const data::Extent extent{image.size(2), image.size(3), image.size(4)};
  if (extent == patch_) return;
  throw_error<ConfigError>(
      "{} {}: the network is made for {} voxels, since every token has a position of its own. Set "
      "data.patch to the extent that it shall see.",
      what, fmt::join(extent, "x"), fmt::join(patch_, "x"));
}

std::vector<ParameterGroup> Method::groups() {
  ParameterGroup network{kNetwork, {}};
  for (const auto& item : network_->named_parameters()) {
    if (!models::is_unused_by_token_fusion(item.key())) network.parameters.push_back(item.key());
  }
  return {network};
}

std::vector<Stage> Method::stages(std::int64_t steps) const {
  return {{.name = "train",
           .steps = steps,
           .subsets = {{"policy", "uniform"}, {"granularity", "sample"}},
           .phases = {{.name = "train",
                       .trains = {brain_box_group(kNetwork, steps, kEpochs)},
                       .joint = !options_.local_dice}}}};
}

Network::FinestMap Method::finest_map(const std::vector<SubsetMask>& subsets,
                                      const std::vector<SubsetMask>& available,
                                      bool training) const {
  if (!map_ || !map_->maps_first_level()) return nullptr;
  return [=, this](std::vector<at::Tensor>& finest) {
    std::vector<at::Tensor> features(finest.size());  // in the cohort's order
    const auto place = [&](std::size_t m) -> at::Tensor& {
      return features[static_cast<std::size_t>(order_.channels()[m])];
    };
    for (std::size_t m = 0; m < finest.size(); ++m) place(m) = finest[m];
    map_->first_level(features, subsets, available, training);
    for (std::size_t m = 0; m < finest.size(); ++m) finest[m] = place(m);
  };
}

Loss Method::loss(const std::string&, const Batch& batch, const Progress& progress) {
  check(batch.image, "input");
  TransformerDropout dropout(options_.dropout, batch, progress, /*first=*/0, order_.size() + 1);
  const std::vector<SubsetMask>& subsets = batch.subsets.at(0);
  const at::Tensor image =
      map_ ? map_->image(batch.image, subsets, /*training=*/true) : batch.image;
  const auto out =
      network_->train(order_.image(image), order_.mask(subsets, batch.image), dropout.modes(),
                      /*separate=*/true, finest_map(subsets, batch.available, /*training=*/true));
  // What an input map has taken away is no image to segment.
  Batch judged = batch;
  if (map_ && map_->leaves_out_missing()) judged.available = subsets;
  Loss loss = class_output_loss(
      {OutputGroup{"fuse", {{class_probability(out.fused.logits), {}}}},
       separate_group("sep", out.separate, order_, judged), deep_group("prm", out.fused.deep)},
      batch, options_.local_dice);
  for (const auto& [name, value] : loss.parts) {
    loss.total = loss.total.defined() ? loss.total + value : value;
  }
  loss.output = out.fused.logits.detach();
  return loss;
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  check(image, "input");
  if (!map_) return network_->segment(order_.image(image), order_.present(subset));
  const std::vector<SubsetMask> subsets(static_cast<std::size_t>(image.size(0)), subset);
  return network_->segment(order_.image(map_->image(image, subsets, /*training=*/false)),
                           order_.present(subset), finest_map(subsets, {}, /*training=*/false));
}

// One modality after the other: its shares of the fusions, then its tokens.
Features Method::encode(const at::Tensor& image) {
  const torch::NoGradGuard no_grad;
  check(image, "window");
  if (map_) return methods::Method::encode(image);  // a modality's features depend on the subset
  return network_->encode_all(order_.image(image));
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const torch::NoGradGuard no_grad;
  if (map_) return methods::Method::decode(features, subsets);
  std::vector<at::Tensor> outputs;
  for (const SubsetMask subset : subsets) {
    outputs.push_back(network_->decode_present(features, order_.present(subset)));
  }
  return at::stack(outputs);
}

}  // namespace lacuna::methods::mmformer
