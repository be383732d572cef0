#include "methods/mmformer/method.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "methods/shared/class_output_loss.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/transformer_dropout.h"

namespace lacuna::methods::mmformer {
namespace {

constexpr data::Extent kPublishedPatch{128, 128, 128};
constexpr std::int64_t kEpochs = 1000;  // published
constexpr int kClasses = 4;
// Mirrored borders need two voxels along each axis, and the deepest maps have a sixteenth of them.
constexpr std::int64_t kDeepestExtent = 2;

}  // namespace

Method::Method(const MethodSettings& settings)
    : Method(settings, binding().parse(settings.options)) {}

Method::Method(const MethodSettings& settings, const Options& options)
    : BrainBoxMethod(settings, {.patch = kPublishedPatch,
                                .epochs = kEpochs,
                                .local_dice = options.local_dice,
                                .et_min = options.et_min}),
      options_(options),
      map_(settings.input_map) {
  require_extent(patch(), extent_multiple(), "data.patch", kDeepestExtent);
  network_ = std::make_shared<Network>(
      models::TokenFusionShape{.modalities = order().names(),
                               .classes = kClasses,
                               .width = settings.width,
                               .extent = patch(),
                               .style = {.norm_first = true, .border = options_.border},
                               .aligned_tokens = options_.aligned_tokens});
}

Network::FinestMap Method::finest_map(const std::vector<SubsetMask>& subsets,
                                      const std::vector<SubsetMask>& available,
                                      bool training) const {
  if (!map_ || !map_->maps_first_level()) return nullptr;
  return [=, this](std::vector<at::Tensor>& finest) {
    std::vector<at::Tensor> features(finest.size());  // in the cohort's order
    const auto place = [&](std::size_t m) -> at::Tensor& {
      return features[static_cast<std::size_t>(order().channels()[m])];
    };
    for (std::size_t m = 0; m < finest.size(); ++m) place(m) = finest[m];
    map_->first_level(features, subsets, available, training);
    for (std::size_t m = 0; m < finest.size(); ++m) finest[m] = place(m);
  };
}

Loss Method::loss(const std::string&, const Batch& batch, const Progress& progress) {
  require_made_for(batch.image, patch(), "input");
  TransformerDropout dropout(options_.dropout, batch, progress, /*first=*/0, order().size() + 1);
  const std::vector<SubsetMask>& subsets = batch.subsets.at(0);
  const at::Tensor image =
      map_ ? map_->image(batch.image, subsets, /*training=*/true) : batch.image;
  const auto out =
      network_->train(order().image(image), order().mask(subsets, batch.image), dropout.modes(),
                      /*separate=*/true, finest_map(subsets, batch.available, /*training=*/true));
  // What an input map has taken away is no image to segment.
  Batch judged = batch;
  if (map_ && map_->leaves_out_missing()) judged.available = subsets;
  Loss loss = class_output_loss(
      {OutputGroup{"fuse", {{class_probability(out.fused.logits), {}}}},
       separate_group("sep", out.separate, order(), judged), deep_group("prm", out.fused.deep)},
      batch, options_.local_dice);
  for (const auto& [name, value] : loss.parts) {
    loss.total = loss.total.defined() ? loss.total + value : value;
  }
  loss.output = out.fused.logits.detach();
  return loss;
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  require_made_for(image, patch(), "input");
  if (!map_) return network_->segment(order().image(image), order().present(subset));
  const std::vector<SubsetMask> subsets(static_cast<std::size_t>(image.size(0)), subset);
  return network_->segment(order().image(map_->image(image, subsets, /*training=*/false)),
                           order().present(subset), finest_map(subsets, {}, /*training=*/false));
}

// One modality after the other: its shares of the fusions, then its tokens.
Features Method::encode(const at::Tensor& image) {
  const torch::NoGradGuard no_grad;
  require_made_for(image, patch(), "window");
  if (map_) return methods::Method::encode(image);  // a modality's features depend on the subset
  return network_->encode_all(order().image(image));
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const torch::NoGradGuard no_grad;
  if (map_) return methods::Method::decode(features, subsets);
  std::vector<at::Tensor> outputs;
  for (const SubsetMask subset : subsets) {
    outputs.push_back(network_->decode_present(features, order().present(subset)));
  }
  return at::stack(outputs);
}

}  // namespace lacuna::methods::mmformer
