#include "methods/m2ftrans/method.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "methods/shared/brain_box_recipe.h"
#include "methods/shared/class_output_loss.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/transformer_dropout.h"

namespace lacuna::methods::m2ftrans {
namespace {

constexpr data::Extent kPublishedPatch{80, 80, 80};
constexpr std::int64_t kEpochs = 1000;       // published, of 150 steps each
constexpr std::int64_t kRisingEpochs = 100;  // of the learning rate
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
                                .et_min = options.et_min,
                                .batch_subset = options.batch_subset}),
      options_(options) {
  require_extent(patch(), extent_multiple(), "data.patch", kDeepestExtent);
  network_ = std::make_shared<Network>(Shape{.modalities = order().names(),
                                             .classes = kClasses,
                                             .width = settings.width,
                                             .extent = patch(),
                                             .style = {.border = options_.border}});
}

// Card 5: rising from 0 for 100 of 1000 epochs, then poly over the rest.
TrainedGroup Method::trained(const std::string& group, std::int64_t steps) const {
  TrainedGroup made = brain_box_group(group, steps, kEpochs);
  made.optimizer.kind = OptimizerSpec::Kind::kAdamW;
  made.schedule.warmup = std::max<std::int64_t>(1, steps * kRisingEpochs / kEpochs);
  made.schedule.hold_end = !options_.rate_from_zero;
  return made;
}

// image: in the network's order.
std::vector<std::vector<at::Tensor>> Method::levels(const at::Tensor& image) const {
  std::vector<std::vector<at::Tensor>> made;
  for (int m = 0; m < order().size(); ++m) {
    made.push_back(network_->levels(image.narrow(1, m, 1), m));
  }
  return made;
}

Loss Method::loss(const std::string&, const Batch& batch, const Progress& progress) {
  require_made_for(batch.image, patch(), "input");
  TransformerDropout dropout(options_.dropout, batch, progress, /*first=*/0, /*count=*/1);
  const models::ForwardMode mode = dropout.modes().front();
  const auto features = levels(order().image(batch.image));
  const std::vector<bool> all(features.size(), true);
  const auto fused =
      network_->decode(network_->encode(features, mode), all,
                       order().mask(batch.subsets.at(0), batch.image), /*maps=*/true, mode);

  std::vector<at::Tensor> alone;
  for (const auto& own : features) alone.push_back(network_->separate(own));
  OutputGroup prm{"prm", {}};
  for (std::size_t level = 0; level < fused.maps.size(); ++level) {
    prm.outputs.push_back({models::enlarge(fused.maps[level], std::int64_t{1} << level), {}});
  }
  Loss loss = class_output_loss({OutputGroup{"fuse", {{class_probability(fused.logits), {}}}},
                                 separate_group("sep", alone, order(), batch), prm},
                                batch, options_.local_dice);
  // Card 4: the warm-up multiplies by 0, unlike RFNet's the maps' losses, too.
  const double counts = within(options_.warm_up_epochs, progress) ? 0 : 1;
  loss.total = counts * (part(loss, "fuse_cross") + part(loss, "fuse_dice")) +
               part(loss, "sep_cross") + part(loss, "sep_dice") +
               counts * (part(loss, "prm_cross") + part(loss, "prm_dice"));
  loss.output = fused.logits.detach();
  return loss;
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  require_made_for(image, patch(), "input");
  const auto features = levels(order().image(image));
  return network_
      ->decode(network_->encode(features, {}), order().present(subset), {},
               /*maps=*/false, {})
      .logits;
}

// Of every modality: shares of the three finest levels, level by level, and x_4; then the tokens
// behind the transformer, and keys and values of each of its blocks.
Features Method::encode(const at::Tensor& image) {
  const torch::NoGradGuard no_grad;
  require_made_for(image, patch(), "window");
  const Encoded encoded = network_->encode(levels(order().image(image)), {});
  Features features;
  for (const auto& level : encoded.shares) {
    features.insert(features.end(), level.begin(), level.end());
  }
  features.insert(features.end(), encoded.fourth.begin(), encoded.fourth.end());
  features.push_back(encoded.deepest.tokens);
  for (const auto& seen : encoded.deepest.seen) {
    features.push_back(seen.key);
    features.push_back(seen.value);
  }
  return features;
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const torch::NoGradGuard no_grad;
  Encoded encoded;
  auto next = features.begin();
  const auto take = [&] {
    const auto begin = next;
    next += order().size();
    return std::vector<at::Tensor>(begin, next);
  };
  for (int level = 0; level < 3; ++level) encoded.shares.push_back(take());
  encoded.fourth = take();
  encoded.deepest.tokens = *next++;
  while (next != features.end()) {
    encoded.deepest.seen.push_back({next[0], next[1]});
    next += 2;
  }
  std::vector<at::Tensor> outputs;
  for (const SubsetMask subset : subsets) {
    outputs.push_back(
        network_->decode(encoded, order().present(subset), {}, /*maps=*/false, {}).logits);
  }
  return at::stack(outputs);
}

}  // namespace lacuna::methods::m2ftrans
