#include "methods/mmformer/method.h"

#include <optional>

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <torch/utils.h>

#include "base/error.h"
#include "losses/precise.h"
#include "methods/shared/brain_box_recipe.h"
#include "methods/shared/class_output_loss.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/sample_keys.h"

namespace lacuna::methods::mmformer {
namespace {

constexpr const char* kNetwork = "network";
constexpr data::Extent kPublishedPatch{128, 128, 128};
constexpr std::int64_t kEpochs = 1000;  // published
constexpr int kClasses = 4;
// Mirrored borders need two voxels along each axis, and the deepest maps have a sixteenth of them.
constexpr std::int64_t kDeepestExtent = 2;

at::Tensor probability(const at::Tensor& logits) { return losses::precise(logits).softmax(1); }

}  // namespace

Method::Method(const MethodSettings& settings)
    : options_(binding().parse(settings.options)),
      order_(settings.modalities, rfnet_order()),
      patch_(settings.patch.value_or(kPublishedPatch)) {
  require_extent(patch_, extent_multiple(), "data.patch", kDeepestExtent);
  network_ =
      std::make_shared<Network>(Shape{.modalities = order_.names(),
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
    // {modality}_decode_conv is stored and never applied.
    const bool unused = item.key().find("_decode_conv.") != std::string::npos &&
                        !item.key().starts_with("multimodal_");
    if (!unused) network.parameters.push_back(item.key());
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

Loss Method::loss(const std::string&, const Batch& batch, const Progress& progress) {
  check(batch.image, "input");
  const at::Tensor image = order_.image(batch.image);
  const bool drops = options_.dropout && !batch.sample_index.empty();
  const auto modalities = static_cast<std::size_t>(order_.size());
  // One for each transformer, so that a sample trains alike wherever it lands.
  std::vector<models::SampleDropout> dropout;
  for (std::uint32_t use = 0; drops && use <= modalities; ++use) {
    dropout.emplace_back(sample_keys(batch, progress, use));
  }
  const auto mode = [&](std::size_t use) {
    return models::ForwardMode{.dropout = drops ? &dropout[use] : nullptr};
  };
  std::vector<Encoded> encoded;
  std::vector<Contribution> contributions;
  for (std::size_t m = 0; m < modalities; ++m) {
    const at::Tensor one = image.narrow(1, static_cast<std::int64_t>(m), 1);
    encoded.push_back(network_->encode(one, m, mode(m)));
    contributions.push_back(network_->contribution(encoded.back(), m));
  }
  const auto fused = network_->decode(contributions, order_.mask(batch.subsets.at(0), batch.image),
                                      /*deep=*/true, mode(modalities));

  OutputGroup fuse{"fuse", {{probability(fused.logits), {}}}}, sep{"sep", {}}, prm{"prm", {}};
  for (std::size_t m = 0; m < modalities; ++m) {
    // What the case never had is no image to segment; what the subset lacks is one (card 3).
    const at::Tensor included =
        batch.available.empty()
            ? at::Tensor()
            : order_.mask(batch.available, batch.image).select(1, static_cast<std::int64_t>(m));
    sep.outputs.push_back({probability(network_->separate(encoded[m])), included});
  }
  for (std::size_t level = 0; level < fused.deep.size(); ++level) {  // softmax first (card 2.4)
    prm.outputs.push_back(
        {models::enlarge(probability(fused.deep[level]), std::int64_t{2} << level), {}});
  }
  Loss loss = class_output_loss({fuse, sep, prm}, batch, options_.local_dice);
  for (const auto& [name, value] : loss.parts) {
    loss.total = loss.total.defined() ? loss.total + value : value;
  }
  loss.output = fused.logits.detach();
  return loss;
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  check(image, "input");
  const at::Tensor ordered = order_.image(image);
  std::vector<Contribution> present(static_cast<std::size_t>(order_.size()));
  for (std::size_t m = 0; m < present.size(); ++m) {
    if (!order_.contains(subset, static_cast<int>(m))) continue;
    const at::Tensor one = ordered.narrow(1, static_cast<std::int64_t>(m), 1);
    present[m] = network_->contribution(network_->encode(one, m, {}), m);
  }
  return network_->decode(present, {}, /*deep=*/false, {}).logits;
}

// One modality after the other: its shares of the fusions, then its tokens.
Features Method::encode(const at::Tensor& image) {
  const torch::NoGradGuard no_grad;
  check(image, "window");
  const at::Tensor ordered = order_.image(image);
  Features features;
  for (std::size_t m = 0; m < static_cast<std::size_t>(order_.size()); ++m) {
    const at::Tensor one = ordered.narrow(1, static_cast<std::int64_t>(m), 1);
    const Contribution own = network_->contribution(network_->encode(one, m, {}), m);
    features.insert(features.end(), own.shares.begin(), own.shares.end());
    features.push_back(own.tokens);
  }
  return features;
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const torch::NoGradGuard no_grad;
  const auto modalities = static_cast<std::size_t>(order_.size());
  const auto each = static_cast<std::ptrdiff_t>(features.size() / modalities);
  std::vector<at::Tensor> outputs;
  for (const SubsetMask subset : subsets) {
    std::vector<Contribution> present(modalities);
    for (std::size_t m = 0; m < modalities; ++m) {
      if (!order_.contains(subset, static_cast<int>(m))) continue;
      const auto begin = features.begin() + static_cast<std::ptrdiff_t>(m) * each;
      present[m].shares.assign(begin, begin + each - 1);
      present[m].tokens = begin[each - 1];
    }
    outputs.push_back(network_->decode(present, {}, /*deep=*/false, {}).logits);
  }
  return at::stack(outputs);
}

}  // namespace lacuna::methods::mmformer
