#include "methods/mst_kdnet/method.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/gram.h"
#include "losses/precise.h"
#include "losses/ramp.h"
#include "losses/region_targets.h"
#include "losses/squared_dice.h"
#include "methods/shared/availability.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/sample_keys.h"
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
  return models::SampleDropout(sample_keys(batch, progress, network));
}

// Some samples of what a network made.
Output samples_of(const Output& all, const std::vector<std::int64_t>& samples) {
  if (static_cast<std::int64_t>(samples.size()) == all.logit.size(0)) return all;
  const at::Tensor rows = at::tensor(samples, at::kLong).to(all.logit.device());
  Output part = all;
  for (at::Tensor* each : {&part.logit, &part.content, &part.style, &part.c2d_pooled, &part.c3d,
                           &part.bottleneck, &part.merged}) {
    *each = each->index_select(0, rows);
  }
  for (at::Tensor& each : part.features) each = each.index_select(0, rows);
  for (at::Tensor& each : part.attention) each = each.index_select(0, rows);
  return part;
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
  auto missing = dropout_of(batch, progress, 1);
  const auto mode = [&](models::SampleDropout& dropout) {
    return models::ForwardMode{.dropout = options_.dropout ? &dropout : nullptr,
                               .update_running = update_running};
  };
  Outputs out;
  const std::vector<std::int64_t> complete = complete_samples(batch);
  out.taught = static_cast<double>(complete.size()) / static_cast<double>(batch.image.size(0));
  if (!complete.empty()) {
    const Batch seen = methods::samples_of(batch, complete);
    auto full = dropout_of(seen, progress, 0);
    out.full = teacher_->forward(seen.image, mode(full));
    out.target = seen.label;
  }
  out.missing = student_->forward(zero_fill(batch.image, batch.subsets.at(0)), mode(missing));
  if (!complete.empty()) out.beside = samples_of(out.missing, complete);
  return out;
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
  styles_.push_back({batch.image, out.taught > 0 ? out.full.style.detach() : at::Tensor(),
                     out.missing.style.detach(), out.taught});
  return joint_loss(out, batch, progress);
}

// What the teacher takes part in: means over all samples, to which those that it does not see
// contribute nothing.
Method::TeacherTerms Method::teacher_terms(const Outputs& out) const {
  const at::Tensor l_full = precise(out.full.logit), l_beside = precise(out.beside.logit);
  const at::Tensor p_full = l_full.sigmoid();
  // What the terms that compare the networks see of the teacher.
  const auto taught = [&](const at::Tensor& x) {
    return options_.detach_teacher ? precise(x).detach() : precise(x);
  };
  const auto taught_list = [&](auto list) {
    for (at::Tensor& x : list) x = taught(x);
    return list;
  };
  TeacherTerms terms;
  terms.dice =
      out.taught * losses::squared_dice(
                       p_full, losses::region_targets(out.target, channels_, l_full.scalar_type()));
  const at::Tensor c_full = options_.consistent_logits ? l_full : p_full;
  const at::Tensor c_beside = options_.consistent_logits ? l_beside : l_beside.sigmoid();
  std::vector<at::Tensor> between;
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    const auto channel = static_cast<std::int64_t>(c);
    between.push_back(at::mse_loss(taught(c_full.select(1, channel)), c_beside.select(1, channel)));
  }
  if (options_.teacher_background) between[kBackground] = terms.dice[kBackground] / out.taught;
  terms.parts = {{"consistency", at::stack(between).sum()}};

  at::Tensor features;
  for (std::size_t k = 0; k < out.full.features.size(); ++k) {
    const at::Tensor part =
        at::mse_loss(taught(out.full.features[k]), precise(out.beside.features[k]));
    features = k == 0 ? part : features + part;
  }
  terms.parts.emplace_back("content",
                           at::mse_loss(taught(out.full.content), precise(out.beside.content)));
  terms.parts.emplace_back("features", features);
  terms.parts.emplace_back("attention", losses::extreme_value_distillation(
                                            taught_list(precise_list(out.full.attention)),
                                            precise_list(out.beside.attention), options_.extremes));
  terms.parts.emplace_back(
      "logits", losses::standardised_logit_distillation(taught(l_full), l_beside, options_.logits));
  const auto g_full = taught_list(gram_features(out.full)), g_beside = gram_features(out.beside);
  terms.parts.emplace_back("gram", options_.mean_gram ? losses::mean_gram_matching(g_full, g_beside)
                                                      : losses::gram_matching(g_full, g_beside));
  if (options_.style_weight > 0) {
    terms.parts.emplace_back(
        "style", losses::gram_matching({taught(out.full.style)}, {precise(out.beside.style)}));
  }
  for (auto& [name, value] : terms.parts) value = out.taught * value;
  return terms;
}

Loss Method::joint_loss(const Outputs& out, const Batch& batch, const Progress& progress) {
  const at::Tensor l_missing = precise(out.missing.logit);
  const at::Tensor target = losses::region_targets(batch.label, channels_, l_missing.scalar_type());
  std::vector<at::Tensor> missing = losses::squared_dice(l_missing.sigmoid(), target).unbind();
  TeacherTerms terms;
  if (out.taught > 0) {
    terms = teacher_terms(out);
  } else {  // nothing here to learn from a teacher
    terms.dice = at::zeros({static_cast<std::int64_t>(channels_.size())}, l_missing.options());
    for (const char* name : {"consistency", "content", "features", "attention", "logits", "gram"}) {
      terms.parts.emplace_back(name, at::zeros({}, l_missing.options()));
    }
    if (options_.style_weight > 0) {
      terms.parts.emplace_back("style", at::zeros({}, l_missing.options()));
    }
  }
  if (options_.teacher_background) missing[kBackground] = terms.dice[kBackground];
  const at::Tensor dice_full = terms.dice.sum(), dice_missing = at::stack(missing).sum();

  // With gram=mean the term has another scale, for which no weight is known.
  const double gram_weight = options_.gram_weight.value_or(options_.mean_gram ? 0 : 1);
  // In the order of the parts.
  const std::array<double, 7> weights = {losses::gaussian_ramp(progress.epoch(), 20, 10),
                                         options_.content_weight,
                                         options_.feature_weight,
                                         attention_weight_,
                                         options_.logit_weight,
                                         gram_weight,
                                         options_.style_weight};
  Loss loss;
  loss.parts = {{"dice_full", dice_full}, {"dice_missing", dice_missing}};
  loss.total = (1 - options_.student_weight) * dice_full + options_.student_weight * dice_missing;
  for (std::size_t i = 0; i < terms.parts.size(); ++i) {
    loss.parts.push_back(terms.parts[i]);
    loss.total = loss.total + weights[i] * terms.parts[i].second;
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
    styles = {batch.image, out.full.style, out.missing.style, out.taught};
  }
  at::Tensor full = at::zeros({}, styles.missing.options().dtype(at::kFloat));
  if (styles.taught > 0) {
    full = styles.taught * cross_entropy_to(precise(discriminator_->forward(styles.full)), 0);
  }
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
