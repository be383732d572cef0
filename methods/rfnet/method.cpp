#include "methods/rfnet/method.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "methods/shared/class_output_loss.h"
#include "methods/shared/extent_check.h"

namespace lacuna::methods::rfnet {
namespace {

constexpr data::Extent kPublishedPatch{80, 80, 80};
constexpr std::int64_t kEpochs = 300;  // published, of 150 steps each
constexpr int kClasses = 4;
// Mirrored borders need two voxels along each axis, and the deepest maps have an eighth of them.
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
      network_(std::make_shared<Network>(Shape{.modalities = order().names(),
                                               .classes = kClasses,
                                               .width = settings.width,
                                               .style = {.border = options_.border}})) {
  require_extent(patch(), extent_multiple(), "data.patch", kDeepestExtent);
}

void Method::check(const at::Tensor& image, const char* what) const {
  require_extent({image.size(2), image.size(3), image.size(4)}, extent_multiple(), what,
                 kDeepestExtent);
}

Loss Method::loss(const std::string&, const Batch& batch, const Progress& progress) {
  check(batch.image, "input");
  const at::Tensor image = order().image(batch.image);
  std::vector<Levels> features;
  for (int m = 0; m < order().size(); ++m) {
    features.push_back(network_->encode(image.narrow(1, m, 1), m));
  }
  const auto fused = network_->decode(features, order().mask(batch.subsets.at(0), batch.image));

  const bool warm_up = within(options_.warm_up_epochs, progress);
  const bool rests = warm_up && options_.warm_up_skip;
  const at::Tensor main = rests ? fused.logits.detach() : fused.logits;
  std::vector<at::Tensor> alone;
  for (const Levels& own : features) alone.push_back(network_->separate(own));
  OutputGroup fuse{"fuse", {{class_probability(main), {}}}}, prm{"prm", {}};
  for (std::size_t level = 0; level < fused.maps.size(); ++level) {
    prm.outputs.push_back({models::enlarge(fused.maps[level], std::int64_t{1} << level), {}});
  }
  Loss loss = class_output_loss({fuse, separate_group("sep", alone, order(), batch), prm}, batch,
                                options_.local_dice);
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
  const at::Tensor ordered = order().image(image);
  std::vector<Levels> features(static_cast<std::size_t>(order().size()));
  for (int m = 0; m < order().size(); ++m) {
    if (!order().contains(subset, m)) continue;
    features[static_cast<std::size_t>(m)] = network_->encode(ordered.narrow(1, m, 1), m);
  }
  return network_->decode(features, at::ones({image.size(0), order().size()}, image.options()))
      .logits;
}

// The levels of one modality after the other.
Features Method::encode(const at::Tensor& image) {
  const torch::NoGradGuard no_grad;
  check(image, "window");
  const at::Tensor ordered = order().image(image);
  Features features;
  for (int m = 0; m < order().size(); ++m) {
    for (const at::Tensor& level : network_->encode(ordered.narrow(1, m, 1), m)) {
      features.push_back(level);
    }
  }
  return features;
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const torch::NoGradGuard no_grad;
  const auto levels = static_cast<std::ptrdiff_t>(features.size()) / order().size();
  const at::Tensor mask =
      at::ones({features.front().size(0), order().size()}, features.front().options());
  std::vector<at::Tensor> outputs;
  for (const SubsetMask subset : subsets) {
    std::vector<Levels> present(static_cast<std::size_t>(order().size()));
    for (int m = 0; m < order().size(); ++m) {
      if (!order().contains(subset, m)) continue;
      present[static_cast<std::size_t>(m)].assign(features.begin() + m * levels,
                                                  features.begin() + (m + 1) * levels);
    }
    outputs.push_back(network_->decode(present, mask).logits);
  }
  return at::stack(outputs);
}

}  // namespace lacuna::methods::rfnet
