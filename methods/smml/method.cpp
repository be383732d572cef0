#include "methods/smml/method.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "losses/channel_kl.h"
#include "losses/class_targets.h"
#include "losses/precise.h"
#include "losses/prototype_relation.h"
#include "losses/selective_kl.h"
#include "methods/shared/brain_box_recipe.h"
#include "methods/shared/class_output_loss.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/rows_of_batch.h"
#include "methods/shared/transformer_dropout.h"

namespace lacuna::methods::smml {
namespace {

constexpr const char* kNetworks = "networks";
constexpr data::Extent kPublishedPatch{128, 128, 128};
constexpr std::int64_t kEpochs = 1000;  // published
// Mirrored borders need two voxels along each axis, and the deepest maps have a sixteenth of them.
constexpr std::int64_t kDeepestExtent = 2;

using losses::precise;
using Trained = models::TokenFusionNetwork::Trained;

std::string named(std::size_t network, const char* part) {
  return "model" + std::to_string(network + 1) + "_" + part;
}

}  // namespace

Method::Method(const MethodSettings& settings)
    : options_(binding().parse(settings.options)),
      order_(settings.modalities, rfnet_order()),
      patch_(settings.patch.value_or(kPublishedPatch)) {
  require_extent(patch_, extent_multiple(), "data.patch", kDeepestExtent);
  for (int i = 1; i <= (options_.dual ? 2 : 1); ++i) {
    networks_.push_back(module_->register_module(
        "model" + std::to_string(i), std::make_shared<Network>(models::TokenFusionShape{
                                         .modalities = order_.names(),
                                         .classes = kClasses,
                                         .width = settings.width,
                                         .extent = patch_,
                                         .style = {.norm_first = true, .border = options_.border},
                                         .aligned_tokens = options_.aligned_tokens})));
  }
}

void Method::initialise() {
  for (const auto& network : networks_) network->initialise();
}

std::vector<ParameterGroup> Method::groups() {
  ParameterGroup networks{kNetworks, {}};
  for (const auto& item : module_->named_parameters()) {
    if (!models::is_unused_by_token_fusion(item.key())) networks.parameters.push_back(item.key());
  }
  return {networks};
}

std::vector<Stage> Method::stages(std::int64_t steps) const {
  return {
      {.name = "train",
       .steps = steps,
       .subsets = {{"policy", options_.dual ? "distinct" : "uniform"}, {"granularity", "sample"}},
       .phases = {{.name = "train",
                   .trains = {brain_box_group(kNetworks, steps, kEpochs)},
                   .joint = !options_.local_dice}}}};
}

// Label maps N x M x D x H x W, or, for comparisons from outside, the array of the published
// loader.
Method::Masks Method::masks_of(const Batch& batch, at::ScalarType type) const {
  if (!options_.refinement) return {};
  const at::Tensor& image = batch.image;
  const auto found = batch.extras.find(options_.label_map);
  if (found == batch.extras.end()) {
    if (!options_.empty_masks) return {};
    return {at::zeros({image.size(0), image.size(1), kClasses, image.size(2), image.size(3),
                       image.size(4)},
                      image.options().dtype(type)),
            {}};
  }
  const at::Tensor& maps = found->second;
  if (maps.is_floating_point()) return {masks_of_array(maps.to(type), order_.size()), {}};
  const at::Tensor has =
      (maps.flatten(1).select(1, 0) != data::kNoLabelMap).to(type);  // of all or of nothing
  const at::Tensor masks =
      masks_of_labels(order_.image(maps), kClasses, type, options_.mask_background);
  if (!options_.empty_masks) return {masks, has};
  return {masks * has.view({-1, 1, 1, 1, 1, 1}), {}};
}

// Card 4.2 and 4.3. One exchange with the other ranks: voxel sums, then a row per sample.
std::vector<at::Tensor> Method::between(const std::vector<Trained>& outputs,
                                        const at::Tensor& one_hot, const Batch& batch) const {
  const at::Tensor &first = outputs[0].fused.logits, &second = outputs[1].fused.logits;
  const at::Tensor voxels = losses::selective_kl_sums(first, second, one_hot, options_.selective);
  const at::Tensor &one = outputs[0].fused.bottleneck, &two = outputs[1].fused.bottleneck;
  const at::Tensor cells = losses::class_cells(one_hot, one.sizes().slice(2), options_.area_cells);
  const at::Tensor weights = (losses::class_entropy(first) + losses::class_entropy(second)) / 2;
  const RowsOfBatch all(batch, !options_.local_dice, voxels.sum(0),
                        {losses::class_prototypes(one, cells), losses::class_prototypes(two, cells),
                         weights, losses::classes_present(cells).to(weights.scalar_type())});

  at::Tensor pixel = options_.per_sample ? losses::selective_kl_loss(voxels).mean(0)
                                         : losses::selective_kl_loss(all.sums());
  const at::Tensor &p = all.rows(0), &q = all.rows(1), &present = all.rows(3);
  const auto relation = [&](const at::Tensor& own, const at::Tensor& other) {
    const at::Tensor value = losses::prototype_relation(own, other.detach(), all.rows(2), present,
                                                        !options_.raw_weights);
    if (!options_.whole_batch_classes) return value;
    // Published: a class without cells makes the term 0/0, which then counts as 0.
    return value * (present.sum() == all.count() * kClasses).to(value.scalar_type());
  };
  return {pixel[0], pixel[1], relation(p, q), relation(q, p)};
}

Loss Method::loss(const std::string&, const Batch& batch, const Progress& progress) {
  require_made_for(batch.image, patch_, "input");
  const at::Tensor image = order_.image(batch.image);
  const bool started = progress.stage_step * kEpochs >= options_.start_epoch * progress.steps;
  std::vector<Trained> outputs;
  std::vector<at::Tensor> refined, mains;
  std::vector<OutputGroup> groups;
  Masks masks;
  at::Tensor one_hot;
  for (std::size_t i = 0; i < networks_.size(); ++i) {
    const at::Tensor mask = order_.mask(batch.subsets.at(i), batch.image);
    TransformerDropout dropout(
        options_.dropout, batch, progress,
        static_cast<std::uint32_t>(static_cast<int>(i) * (order_.size() + 1)), order_.size() + 1);
    outputs.push_back(networks_[i]->train(image, mask, dropout.modes(), options_.helpers));
    const Trained& out = outputs.back();
    const at::Tensor main = precise(out.fused.logits);
    mains.push_back(main);
    groups.push_back({named(i, "fuse"), {{main.softmax(1), {}}}});
    if (options_.helpers) {
      groups.push_back(separate_group(named(i, "sep"), out.separate, order_, batch));
      groups.push_back(deep_group(named(i, "prm"), out.fused.deep));
    }
    if (!one_hot.defined()) {
      one_hot = losses::class_targets(batch.label, kClasses, main.scalar_type()).one_hot;
      masks = masks_of(batch, main.scalar_type());
    }
    if (!options_.refinement) continue;
    // Every rank has the group, whether or not its samples have masks.
    if (masks.soft.defined()) {
      refined.push_back(
          precise(networks_[i]->refine(masks.soft, mask, one_hot, main, options_.mask_weights)));
      groups.push_back(
          {named(i, "sam"),
           {{options_.refined_logits ? refined[i] : refined[i].softmax(1), masks.included}}});
    } else {
      groups.push_back({named(i, "sam"),
                        {{main.detach().softmax(1), at::zeros({main.size(0)}, main.options())}}});
    }
  }
  Loss loss = class_output_loss(groups, batch, options_.local_dice);
  for (const auto& [name, value] : loss.parts) {
    loss.total = loss.total.defined() ? loss.total + value : value;
  }
  const auto add = [&](const std::string& name, const at::Tensor& value, bool counts) {
    loss.parts.emplace_back(name, value);
    if (counts) loss.total = loss.total + value;
  };
  if (options_.refinement) {
    // Card 4.4: the one path from the refinement to the segmentation.
    for (std::size_t i = 0; i < networks_.size(); ++i) {
      at::Tensor value = at::zeros({}, loss.total.options());
      if (masks.soft.defined()) {
        const at::AutoGradMode gradients(started && at::GradMode::is_enabled());
        value = losses::channel_kl(mains[i],
                                   options_.stop_at_refined ? refined[i].detach() : refined[i]);
        value = masks.included.defined() ? (value * masks.included).mean() : value.mean();
      }
      add(named(i, "refinement"), value, started);
    }
  }
  if (networks_.size() == 2 && (options_.pixel || options_.prototype)) {
    const std::vector<at::Tensor> mutual = between(outputs, one_hot, batch);
    for (std::size_t i = 0; options_.pixel && i < 2; ++i) {
      add(named(i, "pixel"), mutual[i], started);
    }
    for (std::size_t i = 0; options_.prototype && i < 2; ++i) {
      add(named(i, "prototype"), mutual[2 + i], true);
    }
  }
  loss.output = mean_of(mains).detach();
  return loss;
}

// Card 7. With probabilities the logarithm, whose softmax they are.
at::Tensor Method::mean_of(const std::vector<at::Tensor>& logits) const {
  if (logits.size() == 1) return logits[0];
  if (!options_.average_probabilities) return (logits[0] + logits[1]) / 2;
  return ((precise(logits[0]).softmax(1) + precise(logits[1]).softmax(1)) / 2)
      .clamp_min(1e-30)
      .log();
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  require_made_for(image, patch_, "input");
  std::vector<at::Tensor> logits;
  for (const auto& network : networks_) {
    logits.push_back(network->segment(order_.image(image), order_.present(subset)));
  }
  return mean_of(logits);
}

// Of one network after the other.
Features Method::encode(const at::Tensor& image) {
  const torch::NoGradGuard no_grad;
  require_made_for(image, patch_, "window");
  Features features;
  for (const auto& network : networks_) {
    for (const at::Tensor& each : network->encode_all(order_.image(image))) {
      features.push_back(each);
    }
  }
  return features;
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const torch::NoGradGuard no_grad;
  const std::size_t each = features.size() / networks_.size();
  std::vector<at::Tensor> outputs;
  for (const SubsetMask subset : subsets) {
    std::vector<at::Tensor> logits;
    for (std::size_t i = 0; i < networks_.size(); ++i) {
      const auto begin = features.begin() + static_cast<std::ptrdiff_t>(i * each);
      const Features own(begin, begin + static_cast<std::ptrdiff_t>(each));
      logits.push_back(networks_[i]->decode_present(own, order_.present(subset)));
    }
    outputs.push_back(mean_of(logits));
  }
  return at::stack(outputs);
}

}  // namespace lacuna::methods::smml
