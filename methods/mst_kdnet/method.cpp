#include "methods/mst_kdnet/method.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/random.h"
#include "losses/gram.h"
#include "losses/precise.h"
#include "losses/ramp.h"
#include "losses/region_targets.h"
#include "losses/squared_dice.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/zero_fill.h"

namespace lacuna::methods::mst_kdnet {
namespace {

using losses::precise;

constexpr const char* kNetworks = "networks";
constexpr const char* kDiscriminator = "discriminator";
constexpr data::Extent kPublishedPatch{160, 192, 128};
constexpr std::size_t kBackground = 3;  // channel

// The transformer sees the crop at an eighth of its extent in patches of 4 voxels.
std::int64_t tokens_of(const data::Extent& patch) {
  return patch[0] / 32 * (patch[1] / 32) * (patch[2] / 32);
}

at::Tensor cross_entropy_to(const at::Tensor& logits, double label) {
  return at::binary_cross_entropy_with_logits(logits, at::full_like(logits, label));
}

template <typename List>
std::vector<at::Tensor> precise_list(const List& tensors) {
  std::vector<at::Tensor> result;
  for (const at::Tensor& tensor : tensors) result.push_back(precise(tensor));
  return result;
}

// One key per sample and network, so that dropout depends on neither rank nor batch.
models::SampleDropout dropout_of(const Batch& batch, const Progress& progress,
                                 std::uint32_t network) {
  std::vector<std::uint64_t> keys;
  for (std::size_t n = 0; n < static_cast<std::size_t>(batch.image.size(0)); ++n) {
    const std::uint64_t index = n < batch.sample_index.size() ? batch.sample_index[n] : n;
    Stream stream(progress.seed, Purpose::kMethod, index, network);
    const std::uint64_t high = stream.next();
    keys.push_back(high << 32 | stream.next());
  }
  return models::SampleDropout(std::move(keys));
}

}  // namespace

std::vector<data::Region> Method::channels(const Options& options) {
  const std::uint32_t background = 1, netc = 2, snfh = 4, et = 8, rc = 16;
  std::vector<data::Region> result =
      options.region_targets
          ? std::vector<data::Region>{{"WT", netc | snfh | et}, {"TC", netc | et}, {"ET", et}}
          : std::vector<data::Region>{{"NETC", netc}, {"SNFH", snfh}, {"ET", et}};
  result.push_back({"BG", background});
  if (options.resection) result.push_back({"RC", rc});
  return result;
}

Method::Method(const MethodSettings& settings)
    : options_(parse(settings.options)),
      patch_(settings.patch.value_or(kPublishedPatch)),
      attention_weight_(attention_weight_for(tokens_of(patch_), options_)),
      channels_(channels(options_)),
      module_(std::make_shared<torch::nn::Module>()) {
  require_extent(patch_, extent_multiple(), "data.patch");
  const Shape shape{.in = settings.modalities.size(),
                    .out = static_cast<std::int64_t>(channels_.size()),
                    .extent = patch_,
                    .width = settings.width};
  if (!options_.shared_network) {
    teacher_ = module_->register_module("model_full", std::make_shared<Network>(shape));
  }
  student_ = module_->register_module("model_missing", std::make_shared<Network>(shape));
  if (options_.shared_network) teacher_ = student_;
  discriminator_ = module_->register_module(
      "d_style", std::make_shared<models::StyleDiscriminator>(
                     student_->style_channels(),
                     data::Extent{patch_[0] / 8, patch_[1] / 8, patch_[2] / 8}, settings.width));
}

void Method::initialise() {
  teacher_->initialise();
  if (student_ != teacher_) student_->initialise();
  discriminator_->initialise();
}

std::vector<ParameterGroup> Method::groups() {
  ParameterGroup networks{kNetworks, {}}, discriminator{kDiscriminator, {}};
  for (const auto& item : module_->named_parameters()) {
    // Never applied; without a gradient the published optimiser leaves it alone.
    if (item.key().find("encoder_norm") != std::string::npos) continue;
    const bool judge = item.key().starts_with("d_style.");
    (judge ? discriminator : networks).parameters.push_back(item.key());
  }
  return {networks, discriminator};
}

std::vector<Stage> Method::stages(std::int64_t steps) const {
  const OptimizerSpec adam{.learning_rate = 1e-4, .beta2 = options_.beta2, .weight_decay = 1e-5};
  const ScheduleSpec poly{.kind = ScheduleSpec::Kind::kPoly,
                          .power = 0.9,
                          .horizon = steps,
                          .per_epoch = true,
                          .hold_end = options_.shifted_rate};
  const OptimizerSpec judge{
      .learning_rate = 1e-4, .beta2 = 0.99, .fresh_each_step = options_.reset_discriminator};
  Stage stage{.name = "train",
              .steps = steps,
              .subsets = {{"policy", "uniform"}, {"granularity", "batch"}},
              .phases = {{.name = "joint", .trains = {{kNetworks, adam, poly}}}}};
  if (options_.adversarial_weight > 0) {
    stage.phases.push_back({.name = "discriminator", .trains = {{kDiscriminator, judge, {}}}});
  }
  return {stage};
}

Method::Outputs Method::run_networks(const Batch& batch, const Progress& progress,
                                     bool update_running) const {
  auto full = dropout_of(batch, progress, 0), missing = dropout_of(batch, progress, 1);
  const auto mode = [&](models::SampleDropout& dropout) {
    return models::ForwardMode{.dropout = options_.dropout ? &dropout : nullptr,
                               .update_running = update_running};
  };
  return {teacher_->forward(batch.image, mode(full)),
          student_->forward(zero_fill(batch.image, batch.subsets.at(0)), mode(missing))};
}

std::vector<at::Tensor> Method::gram_features(const Output& out) const {
  if (options_.paper_gram_features) {
    return precise_list(std::array{out.c2d_pooled, out.bottleneck, out.merged});
  }
  return precise_list(std::array{out.c3d, out.style, out.content});
}

Loss Method::loss(const std::string& phase, const Batch& batch, const Progress& progress) {
  if (phase == "discriminator") return discriminator_loss(batch, progress);
  const Outputs out = run_networks(batch, progress, /*update_running=*/true);
  styles_.push_back({batch.image, out.full.style.detach(), out.missing.style.detach()});
  return joint_loss(out, batch, progress);
}

Loss Method::joint_loss(const Outputs& out, const Batch& batch, const Progress& progress) {
  const at::Tensor l_full = precise(out.full.logit), l_missing = precise(out.missing.logit);
  const at::Tensor p_full = l_full.sigmoid(), p_missing = l_missing.sigmoid();
  const at::Tensor target = losses::region_targets(batch.label, channels_, l_full.scalar_type());
  // What the terms that compare the networks see of the teacher.
  const auto taught = [&](const at::Tensor& x) {
    return options_.detach_teacher ? precise(x).detach() : precise(x);
  };
  const auto taught_list = [&](auto list) {
    for (at::Tensor& x : list) x = taught(x);
    return list;
  };
  const at::Tensor dice = losses::squared_dice(p_full, target);
  at::Tensor dice_full = dice.sum(), dice_missing, consistency;
  std::vector<at::Tensor> missing = losses::squared_dice(p_missing, target).unbind(), between;
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    const auto channel = static_cast<std::int64_t>(c);
    between.push_back(
        at::mse_loss(taught(p_full.select(1, channel)), p_missing.select(1, channel)));
  }
  if (options_.teacher_background) missing[kBackground] = between[kBackground] = dice[kBackground];
  dice_missing = at::stack(missing).sum();
  consistency = at::stack(between).sum();

  at::Tensor features;
  for (std::size_t k = 0; k < out.full.features.size(); ++k) {
    const at::Tensor part =
        at::mse_loss(taught(out.full.features[k]), precise(out.missing.features[k]));
    features = k == 0 ? part : features + part;
  }
  const at::Tensor content = at::mse_loss(taught(out.full.content), precise(out.missing.content));
  const at::Tensor attention =
      losses::extreme_value_distillation(taught_list(precise_list(out.full.attention)),
                                         precise_list(out.missing.attention), options_.extremes);
  const at::Tensor logits =
      losses::standardised_logit_distillation(taught(l_full), l_missing, options_.logits);
  const auto g_full = taught_list(gram_features(out.full)), g_missing = gram_features(out.missing);
  const at::Tensor gram = options_.mean_gram ? losses::mean_gram_matching(g_full, g_missing)
                                             : losses::gram_matching(g_full, g_missing);

  // With gram=mean the term has another scale, for which no weight is known.
  const double gram_weight = options_.gram_weight.value_or(options_.mean_gram ? 0 : 1);
  const double ramp = losses::gaussian_ramp(progress.epoch(), 20, 10);
  Loss loss;
  loss.parts = {{"dice_full", dice_full},     {"dice_missing", dice_missing},
                {"consistency", consistency}, {"content", content},
                {"features", features},       {"attention", attention},
                {"logits", logits},           {"gram", gram}};
  loss.total = (1 - options_.student_weight) * dice_full + options_.student_weight * dice_missing +
               ramp * consistency + options_.content_weight * content +
               options_.feature_weight * features + attention_weight_ * attention +
               options_.logit_weight * logits + gram_weight * gram;
  if (options_.style_weight > 0) {
    const at::Tensor style =
        losses::gram_matching({taught(out.full.style)}, {precise(out.missing.style)});
    loss.parts.emplace_back("style", style);
    loss.total = loss.total + options_.style_weight * style;
  }
  if (options_.adversarial_weight > 0) {
    const at::Tensor fooled =
        cross_entropy_to(precise(discriminator_->forward(out.missing.style)), 0);
    loss.parts.emplace_back("adversarial", fooled);
    loss.total = loss.total + options_.adversarial_weight * fooled;
  }
  loss.output = out.missing.logit.detach();
  return loss;
}

// The styles are those that the joint phase judged, so both phases see the networks before their
// step; asked for alone, the phase makes them.
Loss Method::discriminator_loss(const Batch& batch, const Progress& progress) {
  Styles styles;
  while (!styles_.empty() && !styles.image.defined()) {
    if (styles_.front().image.const_data_ptr() == batch.image.const_data_ptr()) {
      styles = styles_.front();
    }
    styles_.pop_front();
  }
  if (!styles.image.defined()) {
    const torch::NoGradGuard no_grad;
    const Outputs out = run_networks(batch, progress, /*update_running=*/false);
    styles = {batch.image, out.full.style, out.missing.style};
  }
  const at::Tensor full = cross_entropy_to(precise(discriminator_->forward(styles.full)), 0);
  const at::Tensor missing = cross_entropy_to(precise(discriminator_->forward(styles.missing)), 1);
  return {full + missing, {{"full", full}, {"missing", missing}}, {}};
}

// encode() and decode() stay the default: modalities meet in the first convolution.
at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  Batch batch;
  batch.image = image;
  auto dropout = dropout_of(batch, {}, 1);
  const models::ForwardMode mode{
      .dropout = options_.evaluation_dropout && options_.dropout ? &dropout : nullptr,
      .running_statistics = options_.running_statistics};
  const std::vector<SubsetMask> subsets(static_cast<std::size_t>(image.size(0)), subset);
  return student_->forward(zero_fill(image, subsets), mode).logit;
}

}  // namespace lacuna::methods::mst_kdnet
