#include "methods/m3ae/method.h"

#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/random.h"
#include "losses/precise.h"
#include "losses/region_targets.h"
#include "methods/m3ae/augmentation.h"
#include "methods/shared/availability.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/sample_keys.h"

namespace lacuna::methods::m3ae {
namespace {

using losses::precise;

constexpr const char* kPretraining = "pretrain";
constexpr const char* kPre = "pre";
constexpr const char* kSubstitute = "substitute";
constexpr const char* kSegmentation = "seg";

data::Extent extent_of(const at::Tensor& image) {
  return {image.size(2), image.size(3), image.size(4)};
}

// x M + substitute (1 - M), where what is hidden may be anything. mask: N x M or as image.
at::Tensor filled(const at::Tensor& image, const at::Tensor& mask, const at::Tensor& substitute) {
  const at::Tensor shown =
      mask.dim() == 2 ? mask.view({mask.size(0), mask.size(1), 1, 1, 1}) : mask;
  return at::where(shown > 0, image, substitute);
}

}  // namespace

Method::Method(const MethodSettings& settings)
    : options_(binding().parse(settings.options)),
      patch_(settings.patch.value_or(data::Extent{128, 128, 128})),
      order_(settings.modalities, {"T1", "T1c", "T2", "FLAIR"}),
      kept_tokens_(options_.tokens()) {
  require_extent(patch_, extent_multiple(), "data.patch");
  Network::Shape shape{.modalities = order_.size(),
                       .width = settings.width,
                       .deep = true,
                       .substitute = options_.substitute};
  segmenting_ = module_->register_module("seg", std::make_shared<Network>(shape));
  shape.out = order_.size();
  shape.deep = false;
  rebuilding_ = module_->register_module("pre", std::make_shared<Network>(shape));
}

void Method::initialise() {
  rebuilding_->initialise();
  segmenting_->initialise();
}

void Method::begin_stage(int stage) {
  if (!options_.pretraining || stage != 1) return;
  const torch::NoGradGuard no_grad;
  auto to = segmenting_->named_parameters();
  for (const auto& from : rebuilding_->named_parameters()) {
    if (!from.key().starts_with("unet.up1conv.")) to[from.key()].copy_(from.value());
  }
}

// seg.limage is in no group: it is a copy of what pre-training learnt.
std::vector<ParameterGroup> Method::groups() {
  ParameterGroup pre{kPre, {}}, substitute{kSubstitute, {"pre.limage"}}, seg{kSegmentation, {}};
  for (const auto& item : module_->named_parameters()) {
    if (item.key().starts_with("pre.unet.")) pre.parameters.push_back(item.key());
    if (item.key().starts_with("seg.unet.")) seg.parameters.push_back(item.key());
  }
  return {pre, substitute, seg};
}

at::Tensor Method::substitutes(const at::Tensor& image, const Batch& batch) const {
  const data::Extent extent = extent_of(batch.image);
  std::vector<at::Tensor> parts;
  for (std::size_t n = 0; n < static_cast<std::size_t>(batch.image.size(0)); ++n) {
    const data::Extent corner = n < batch.origin.size() ? batch.origin[n] : data::Extent{};
    parts.push_back(Network::cut(image, corner, extent));
  }
  return at::stack(parts);
}

// n of {0, .., M - 1} modalities are dropped by the subset; of the tokens of the others as many are
// kept as the mask ratio leaves of all (card, section 3).
at::Tensor Method::visible(const Batch& batch, const Progress& progress) const {
  const data::Extent extent = extent_of(batch.image);
  const std::int64_t modalities = order_.size();
  const std::int64_t each = extent[0] / kPatch * (extent[1] / kPatch) * (extent[2] / kPatch);
  const auto number =
      static_cast<std::int64_t>((1 - options_.mask_ratio) * static_cast<double>(modalities * each));
  const auto keys = sample_keys(batch, progress, 0);
  const auto available = available_of(batch);
  std::vector<at::Tensor> masks;
  for (std::size_t n = 0; n < keys.size(); ++n) {
    SubsetMask given = batch.subsets.at(0)[n] & available[n];
    if (given == 0) given = available[n];
    std::vector<std::int64_t> tokens;
    for (std::int64_t m = 0; m < modalities; ++m) {
      if (!order_.contains(given, static_cast<int>(m))) continue;
      for (std::int64_t i = 0; i < each; ++i) tokens.push_back(m * each + i);
    }
    if (!kept_tokens_.empty()) {
      std::erase_if(tokens, [&](std::int64_t token) {
        return std::find(kept_tokens_.begin(), kept_tokens_.end(), token) == kept_tokens_.end();
      });
    } else if (!batch.sample_index.empty()) {
      Stream(keys[n], Purpose::kMethod, 0).shuffle(std::span(tokens));
      tokens.resize(
          std::min(tokens.size(), static_cast<std::size_t>(std::max<std::int64_t>(number, 1))));
    }
    at::Tensor kept = at::zeros({modalities * each}, at::dtype(at::kFloat));
    for (const std::int64_t token : tokens) kept.data_ptr<float>()[token] = 1;
    masks.push_back(voxels_of_tokens(kept.to(batch.image.device()), modalities, extent));
  }
  return at::stack(masks);
}

// The mean over the voxels of what a case has; masked and visible alike.
Loss Method::rebuilding_loss(const Batch& batch, const Progress& progress) const {
  const at::Tensor image = order_.image(batch.image);
  const at::Tensor seen = filled(image, visible(batch, progress).to(image.scalar_type()),
                                 substitutes(rebuilding_->limage, batch));
  const at::Tensor rebuilt = precise(rebuilding_->forward(seen).logit);
  const at::Tensor has = order_.mask(available_of(batch), rebuilt);
  const at::Tensor error =
      ((rebuilt - precise(image)).square().mean({2, 3, 4}) * has).sum(1) / has.sum(1);
  Loss loss;
  const at::Tensor& substitute = rebuilding_->limage;
  // By slices first: one float sum over 36 million squares loses its third digit.
  const at::Tensor norm = (substitute - substitute.mean({2, 3, 4}, /*keepdim=*/true))
                              .flatten(3)
                              .norm(2, at::IntArrayRef{3})
                              .norm();
  loss.parts = {{"reconstruction", error.mean()}, {"substitute_norm", norm}};
  loss.total = loss.parts[0].second + options_.image_weight * norm;
  loss.output = rebuilt.detach();
  return loss;
}

// saturating: cross entropy of probabilities, as published, whose logarithms end at -100 where a
// probability has rounded to 0 or 1; else of logits, which is exact.
at::Tensor region_error(const at::Tensor& logits, const at::Tensor& target, std::int64_t copies,
                        bool saturating) {
  std::vector<std::int64_t> shape = target.sizes().vec();
  shape.insert(shape.begin(), copies);
  const at::Tensor all = logits.view(shape), truth = target.unsqueeze(0).expand(shape);
  const at::Tensor p = all.sigmoid();
  const std::vector<std::int64_t> over{0, 3, 4, 5};  // both copies and every voxel
  const at::Tensor dice =
      1 - (2 * (p * truth).sum(over) + 1) / (p.square().sum(over) + truth.square().sum(over) + 1);
  const at::Tensor entropy = saturating ? at::binary_cross_entropy(p, truth)
                                        : at::binary_cross_entropy_with_logits(all, truth);
  return 0.7 * dice.mean() + 0.3 * entropy;
}

// Both copies of a case are changed alike, so that they differ by what is missing alone.
Loss Method::segmentation_loss(const Batch& batch, const Progress& progress) const {
  const at::Tensor image = order_.image(batch.image);
  const at::Tensor substitute = substitutes(segmenting_->limage.detach(), batch);
  const auto available = available_of(batch);
  const auto copies = static_cast<std::int64_t>(batch.subsets.size());
  std::vector<at::Tensor> inputs;
  for (const auto& drawn : batch.subsets) {
    std::vector<SubsetMask> given = drawn;
    for (std::size_t n = 0; n < given.size(); ++n) given[n] &= available[n];
    inputs.push_back(filled(image, order_.mask(given, image), substitute));
  }
  at::Tensor label = batch.label;
  if (!batch.sample_index.empty()) change(inputs, label, sample_keys(batch, progress, 1));
  const models::MyronenkoOutput out = segmenting_->forward(at::cat(inputs), /*deep=*/true);
  const at::Tensor target =
      losses::region_targets(label, data::tumour_regions(), precise(out.logit).scalar_type());
  Loss loss;
  const auto error = [&](const char* name, const at::Tensor& logits) {
    loss.parts.emplace_back(name, region_error(precise(logits), target, copies, options_.official));
    return loss.parts.back().second;
  };
  loss.total = error("coarse", out.deep[0]) + error("middle", out.deep[1]);
  loss.total = loss.total + error("final", out.logit);
  if (copies > 1) {
    const auto compared =
        precise(options_.consistency == ConsistencyOf::kLogits ? out.deep[0] : out.content)
            .chunk(2);
    const at::Tensor difference = at::mse_loss(compared[0], compared[1]);
    loss.parts.emplace_back("consistency", difference);
    loss.total = loss.total + options_.consistency_weight * difference;
  }
  loss.output = out.logit.detach();
  return loss;
}

Loss Method::loss(const std::string& phase, const Batch& batch, const Progress& progress) {
  return phase == kPretraining ? rebuilding_loss(batch, progress)
                               : segmentation_loss(batch, progress);
}

Features Method::encode_at(const at::Tensor& window, const WindowPlace& place) {
  at::Tensor substitute =
      Network::cut(segmenting_->limage, options_.corner_in_box ? place.corner_in_box : place.corner,
                   extent_of(window));
  std::vector<std::int64_t> turned;
  for (std::size_t i = 0; i < 3; ++i) {
    if (place.mirrored[i]) turned.push_back(static_cast<std::int64_t>(i) + 1);
  }
  if (!turned.empty()) substitute = substitute.flip(turned);
  return {order_.image(window), substitute.unsqueeze(0)};
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const at::Tensor& image = features[0];
  std::vector<at::Tensor> logits;
  for (const SubsetMask subset : subsets) {
    logits.push_back(
        segmenting_->forward(filled(image, order_.mask({subset}, image), features[1])).logit);
  }
  return at::stack(logits);
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  return decode(encode(image), {subset})[0];
}

}  // namespace lacuna::methods::m3ae
