#include "methods/shaspec/method.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "base/random.h"
#include "losses/modality_classification.h"
#include "losses/precise.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/missing_features.h"
#include "methods/shared/region_loss.h"
#include "methods/shared/restarted_stages.h"

namespace lacuna::methods::shaspec {
namespace {

constexpr const char* kNetwork = "network";

data::Extent extent_of(const at::Tensor& image) {
  return {image.size(2), image.size(3), image.size(4)};
}

}  // namespace

Method::Method(const MethodSettings& settings)
    : modalities_(settings.modalities),
      options_(binding().parse(settings.options)),
      network_(std::make_shared<models::SharedSpecificNetwork>(
          settings.modalities, static_cast<int>(published_regions().size()), settings.width)),
      subset_decoder_(*network_, [first = options_.fill_first](
                                     const std::vector<at::Tensor>& features,
                                     const std::vector<SubsetMask>& subsets) {
        const std::vector<int> donors = first_available(subsets);
        return fill_slots(features.front(), features.back(), subsets, first ? &donors : nullptr);
      }) {}

std::vector<ParameterGroup> Method::groups() {
  ParameterGroup network{kNetwork, {}};
  for (const auto& item : network_->named_parameters()) network.parameters.push_back(item.key());
  return {network};
}

// Published: 80,000 iterations with all modalities of 180,000.
std::vector<Stage> Method::stages(std::int64_t steps) const {
  const std::int64_t published = std::llround(static_cast<double>(steps) * 80 / 180);
  return restarted_stages({.group = kNetwork,
                           .steps = steps,
                           .warm_up = std::min(options_.warm_up_steps.value_or(published), steps),
                           .cosine = options_.cosine});
}

void Method::initialise() {
  network_->initialise();
  invalidate_evaluation_cache();
}

std::vector<int> Method::donors(const Batch& batch, const Progress& progress) const {
  const std::vector<SubsetMask>& subsets = batch.subsets.at(0);
  std::vector<int> result = first_available(subsets);
  for (std::size_t n = 0; n < batch.sample_index.size(); ++n) {
    Stream stream(progress.seed, Purpose::kMethod, batch.sample_index[n]);
    auto skip = stream.below(static_cast<std::uint64_t>(data::count(subsets[n])));
    while (!data::contains(subsets[n], result[n]) || skip-- > 0) ++result[n];
  }
  return result;
}

Loss Method::loss(const std::string&, const Batch& batch, const Progress& progress) {
  require_extent(extent_of(batch.image), extent_multiple(), "input");
  const std::vector<SubsetMask>& subsets = batch.subsets.at(0);
  const models::SharedNetwork::Features shared = network_->encode(batch.image, subsets);
  const models::SharedSpecificNetwork::Private own =
      network_->encode_private(batch.image, subsets, options_.aux_on_missing);
  const at::Tensor fused = network_->fuse(shared.bottleneck, own.bottleneck);
  const std::vector<int> lenders = donors(batch, progress);
  const at::Tensor slots =
      fill_slots(shared.bottleneck, fused, subsets, options_.fill_first ? &lenders : nullptr);
  Loss loss = region_loss(network_->decode(slots, shared.skips), batch.label);

  const std::vector<SubsetMask> judged =
      options_.aux_on_missing ? std::vector<SubsetMask>(subsets.size(), modalities_.full())
                              : subsets;
  const at::Tensor alignment =
      losses::feature_alignment(losses::precise(shared.bottleneck), options_.pairs, judged);
  const at::Tensor domain = losses::modality_classification(losses::precise(own.domains), judged);
  loss.parts.emplace_back("shared", alignment);
  loss.parts.emplace_back("domain", domain);
  loss.total = loss.total + options_.alignment_weight * alignment + options_.domain_weight * domain;
  return loss;
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  require_extent(extent_of(image), extent_multiple(), "input");
  const std::vector<SubsetMask> subsets(image.size(0), subset);
  const models::SharedNetwork::Features shared = network_->encode(image, subsets);
  const at::Tensor own =
      network_->encode_private(image, subsets, /*classify_missing=*/false).bottleneck;
  const std::vector<int> lenders = first_available(subsets);
  return network_->decode(fill_slots(shared.bottleneck, network_->fuse(shared.bottleneck, own),
                                     subsets, options_.fill_first ? &lenders : nullptr),
                          shared.skips);
}

Features Method::encode(const at::Tensor& image) {
  const torch::NoGradGuard no_grad;
  require_extent(extent_of(image), extent_multiple(), "window");
  Features features = subset_decoder_.encode(image);
  const std::vector<SubsetMask> full(image.size(0), modalities_.full());
  const at::Tensor own =
      network_->encode_private(image, full, /*classify_missing=*/false).bottleneck;
  features.push_back(network_->fuse(features.front(), own));
  return features;
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  return subset_decoder_.decode(features, subsets);
}

}  // namespace lacuna::methods::shaspec
