#include "methods/rfnet/method.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "losses/precise.h"
#include "methods/shared/brain_box_recipe.h"
#include "methods/shared/class_output_loss.h"
#include "methods/shared/extent_check.h"

namespace lacuna::methods::rfnet {
namespace {

constexpr const char* kNetwork = "network";
constexpr data::Extent kPublishedPatch{80, 80, 80};
constexpr std::int64_t kEpochs = 300;  // published, of 150 steps each
constexpr int kClasses = 4;
// Mirrored borders need two voxels along each axis, and the deepest maps have an eighth of them.
constexpr std::int64_t kDeepestExtent = 2;

at::Tensor probability(const at::Tensor& logits) { return losses::precise(logits).softmax(1); }

}  // namespace

Method::Method(const MethodSettings& settings)
    : options_(binding().parse(settings.options)),
      order_(settings.modalities, rfnet_order()),
      patch_(settings.patch.value_or(kPublishedPatch)),
      network_(std::make_shared<Network>(Shape{.modalities = order_.names(),
                                               .classes = kClasses,
                                               .width = settings.width,
                                               .style = {.border = options_.border}})) {
  require_extent(patch_, extent_multiple(), "data.patch", kDeepestExtent);
}

void Method::check(const at::Tensor& image, const char* what) const {
  require_extent({image.size(2), image.size(3), image.size(4)}, extent_multiple(), what,
                 kDeepestExtent);
}

std::vector<ParameterGroup> Method::groups() {
  ParameterGroup network{kNetwork, {}};
  for (const auto& item : network_->named_parameters()) network.parameters.push_back(item.key());
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

Loss Method::loss(const std::string&, const Batch& batch, const Progress& progress) {
  check(batch.image, "input");
  const at::Tensor image = order_.image(batch.image);
  std::vector<Levels> features;
  for (int m = 0; m < order_.size(); ++m) {
    features.push_back(network_->encode(image.narrow(1, m, 1), m));
  }
  const auto fused = network_->decode(features, order_.mask(batch.subsets.at(0), batch.image));

  const bool warm_up = progress.stage_step * kEpochs < options_.warm_up_epochs * progress.steps;
  const bool rests = warm_up && options_.warm_up_skip;
  const at::Tensor main = rests ? fused.logits.detach() : fused.logits;
  OutputGroup fuse{"fuse", {{probability(main), {}}}}, sep{"sep", {}}, prm{"prm", {}};
  for (int m = 0; m < order_.size(); ++m) {
    // What the case never had is no image to segment; what the subset lacks is one (card 3).
    const at::Tensor included = batch.available.empty()
                                    ? at::Tensor()
                                    : order_.mask(batch.available, batch.image).select(1, m);
    sep.outputs.push_back(
        {probability(network_->separate(features[static_cast<std::size_t>(m)])), included});
  }
  for (std::size_t level = 0; level < fused.maps.size(); ++level) {
    prm.outputs.push_back({models::enlarge(fused.maps[level], std::int64_t{1} << level), {}});
  }
  Loss loss = class_output_loss({fuse, sep, prm}, batch, options_.local_dice);
  // Card 4: 0 * fuse gives what only the main output reaches a gradient of 0, which Adam's decay
  // turns into steps of the learning rate.
  loss.total = (warm_up ? 0.0 : 1.0) * (part(loss, "fuse_cross") + part(loss, "fuse_dice")) +
               part(loss, "sep_cross") + part(loss, "sep_dice") + part(loss, "prm_cross") +
               part(loss, "prm_dice");
  loss.output = fused.logits.detach();
  return loss;
}

// A missing modality's features are 0 whatever its image: it is not encoded.
at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  check(image, "input");
  const at::Tensor ordered = order_.image(image);
  std::vector<Levels> features(static_cast<std::size_t>(order_.size()));
  for (int m = 0; m < order_.size(); ++m) {
    if (!order_.contains(subset, m)) continue;
    features[static_cast<std::size_t>(m)] = network_->encode(ordered.narrow(1, m, 1), m);
  }
  return network_->decode(features, at::ones({image.size(0), order_.size()}, image.options()))
      .logits;
}

// The levels of one modality after the other.
Features Method::encode(const at::Tensor& image) {
  const torch::NoGradGuard no_grad;
  check(image, "window");
  const at::Tensor ordered = order_.image(image);
  Features features;
  for (int m = 0; m < order_.size(); ++m) {
    for (const at::Tensor& level : network_->encode(ordered.narrow(1, m, 1), m)) {
      features.push_back(level);
    }
  }
  return features;
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const torch::NoGradGuard no_grad;
  const auto levels = static_cast<std::ptrdiff_t>(features.size()) / order_.size();
  const at::Tensor mask =
      at::ones({features.front().size(0), order_.size()}, features.front().options());
  std::vector<at::Tensor> outputs;
  for (const SubsetMask subset : subsets) {
    std::vector<Levels> present(static_cast<std::size_t>(order_.size()));
    for (int m = 0; m < order_.size(); ++m) {
      if (!order_.contains(subset, m)) continue;
      present[static_cast<std::size_t>(m)].assign(features.begin() + m * levels,
                                                  features.begin() + (m + 1) * levels);
    }
    outputs.push_back(network_->decode(present, mask).logits);
  }
  return at::stack(outputs);
}

}  // namespace lacuna::methods::rfnet
