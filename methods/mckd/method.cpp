#include "methods/mckd/method.h"

#include <cmath>

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "methods/shared/extent_check.h"
#include "methods/shared/missing_features.h"
#include "methods/shared/region_loss.h"
#include "methods/shared/restarted_stages.h"

namespace lacuna::methods::mckd {
namespace {

constexpr const char* kNetwork = "network";
constexpr const char* kImportance = "importance";

}  // namespace

Method::Method(const MethodSettings& settings)
    : modalities_(settings.modalities),
      options_(parse(settings.options)),
      network_(std::make_shared<Network>(settings.modalities.size(),
                                         static_cast<int>(published_regions().size()),
                                         settings.width)),
      subset_decoder_(*network_, [](const std::vector<at::Tensor>& features,
                                    const std::vector<SubsetMask>& subsets) {
        return fill_with_mean(features.front(), subsets);
      }) {}

std::vector<std::string> Method::ignored_official_names() const {
  return {"multihead_attn."};  // built by the published code, never used
}

std::map<std::string, std::vector<double>> Method::fill_exceptions() const {
  if (modalities_.size() != 4) return {};
  return {{"kd_weights.kd_weights", {0.2, 0.1, 0.9, 0.4}}};
}

std::vector<ParameterGroup> Method::groups() {
  ParameterGroup network{kNetwork, {}}, importance{kImportance, {}};
  for (const auto& item : network_->named_parameters()) {
    (item.key().starts_with("kd_weights") ? importance : network).parameters.push_back(item.key());
  }
  return {network, importance};
}

// Published: 80,000 iterations with all modalities of 115,000, and the meta phase in both stages.
std::vector<Stage> Method::stages(std::int64_t steps) const {
  const OptimizerSpec adam{.kind = OptimizerSpec::Kind::kAdam,
                           .learning_rate = 1e-2,
                           .weight_decay = options_.importance_decay};
  const std::int64_t warm_up =
      options_.warm_up ? std::llround(static_cast<double>(steps) * 80 / 115) : 0;
  std::vector<Stage> stages = restarted_stages(
      {.group = kNetwork, .steps = steps, .warm_up = warm_up, .cosine = options_.cosine});
  for (std::size_t i = 0; i < stages.size(); ++i) {
    stages[i].phases.push_back({.name = "meta",
                                .trains = {{kImportance, adam, {}}},
                                .on_meta_set = true,
                                .period = i == 0 ? 100 : 500,
                                .repeats = 20,
                                .batch = 1});
  }
  return stages;
}

void Method::initialise() {
  network_->initialise();
  if (options_.store_normalised) {
    torch::NoGradGuard no_grad;
    network_->raw_importance.copy_(network_->raw_importance.softmax(0));
  }
  invalidate_evaluation_cache();
}

models::SharedNetwork::Features Method::encode_batch(const at::Tensor& image,
                                                     const std::vector<SubsetMask>& subsets) const {
  require_extent({image.size(2), image.size(3), image.size(4)}, extent_multiple(), "input");
  models::SharedNetwork::Features features = network_->encode(image, subsets);
  if (options_.skip_fill_mean) {
    for (at::Tensor& skip : features.skips) skip = fill_with_mean(skip, subsets);
  }
  return features;
}

at::Tensor Method::segment(const models::SharedNetwork::Features& features,
                           const std::vector<SubsetMask>& subsets) const {
  return network_->decode(fill_with_mean(features.bottleneck, subsets), features.skips);
}

at::Tensor Method::segment_weighted(const models::SharedNetwork::Features& features,
                                    const std::vector<SubsetMask>& subsets) const {
  const at::Tensor filled =
      options_.meta_fill_mean ? fill_with_mean(features.bottleneck, subsets) : features.bottleneck;
  const at::Tensor weights = importance(network_->raw_importance, options_.normalisation);
  return network_->decode(filled * weights.view({1, -1, 1, 1, 1, 1}), features.skips);
}

Loss Method::loss(const std::string& phase, const Batch& batch, const Progress&) {
  const std::vector<SubsetMask>& subsets = batch.subsets.at(0);
  const models::SharedNetwork::Features features = encode_batch(batch.image, subsets);
  if (phase == "meta") {
    return region_loss(segment_weighted(features, subsets), batch.label);
  }
  Loss loss = region_loss(segment(features, subsets), batch.label);
  const at::Tensor ratio = importance_ratio(network_->raw_importance, options_.normalisation);
  const at::Tensor kd =
      losses::pairwise_distillation(features.bottleneck, ratio, subsets, options_.distillation);
  loss.parts.emplace_back("kd", kd);
  loss.total = loss.total + options_.alpha * kd;
  return loss;
}

void Method::end_phase(const std::string&, const Progress&) {
  if (!options_.store_normalised) return;
  torch::NoGradGuard no_grad;
  network_->raw_importance.copy_(network_->raw_importance.softmax(0));
}

std::vector<std::pair<std::string, double>> Method::diagnostics() {
  torch::NoGradGuard no_grad;
  const at::Tensor weights =
      importance(network_->raw_importance, options_.normalisation).to(at::kCPU, at::kDouble);
  std::vector<std::pair<std::string, double>> result;
  for (int m = 0; m < modalities_.size(); ++m) {
    result.emplace_back("importance/" + modalities_.names()[m], weights[m].item<double>());
  }
  return result;
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  const std::vector<SubsetMask> subsets(image.size(0), subset);
  return segment(encode_batch(image, subsets), subsets);
}

Features Method::encode(const at::Tensor& image) {
  // Mean skips depend on the subset in every level, so nothing but the image can be shared.
  if (options_.skip_fill_mean) return methods::Method::encode(image);
  require_extent({image.size(2), image.size(3), image.size(4)}, extent_multiple(), "window");
  return subset_decoder_.encode(image);
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  if (options_.skip_fill_mean) {
    const torch::NoGradGuard no_grad;
    return methods::Method::decode(features, subsets);
  }
  return subset_decoder_.decode(features, subsets);
}

}  // namespace lacuna::methods::mckd
