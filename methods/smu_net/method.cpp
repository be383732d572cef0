#include "methods/smu_net/method.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/adversarial.h"
#include "losses/gram.h"
#include "losses/precise.h"
#include "methods/shared/extent_check.h"

namespace lacuna::methods::smu_net {
namespace {

using losses::cross_entropy_to;
using losses::precise;

constexpr const char* kDiscriminator = "discriminator";

// The published class wraps the network as its child `unet`.
std::shared_ptr<models::MyronenkoUnet> add_network(torch::nn::Module& module,
                                                   const std::string& name,
                                                   const models::MyronenkoShape& shape) {
  const auto wrapper = module.register_module(name, std::make_shared<torch::nn::Module>());
  return wrapper->register_module("unet", std::make_shared<models::MyronenkoUnet>(shape));
}

}  // namespace

Method::Method(const MethodSettings& settings)
    : CoTraining(settings, binding().parse(settings.options), {"FLAIR", "T1", "T1c", "T2"}),
      options_(binding().parse(settings.options)) {
  require_extent(patch_, extent_multiple(), "data.patch");
  models::MyronenkoShape shape{.in = modalities_.size(), .width = width_, .style = true};
  full_ = add_network(*module_, "model_full", shape);
  shape.in = missing_channels();
  // Published weights: model_missing has the channels of one subset, model_missingM zero filling.
  missing_ = add_network(
      *module_,
      serves() ? std::string("model_missing") : fmt::format("model_missing{}", modalities_.size()),
      shape);
  discriminator_ = module_->register_module(
      "d_style", std::make_shared<models::StyleDiscriminator>(
                     full_->content_channels(),
                     data::Extent{patch_[0] / 8, patch_[1] / 8, patch_[2] / 8}, width_));
}

void Method::initialise() {
  full_->initialise();
  missing_->initialise();
  discriminator_->initialise();
}

std::vector<ParameterGroup> Method::groups() {
  ParameterGroup networks{kCoTrainedNetworks, {}}, discriminator{kDiscriminator, {}};
  for (const auto& item : module_->named_parameters()) {
    (item.key().starts_with("d_style.") ? discriminator : networks)
        .parameters.push_back(item.key());
  }
  return {networks, discriminator};
}

std::vector<std::string> Method::judges() const {
  if (options_.adversarial_weight > 0) return {kDiscriminator};
  return {};
}

Method::Outputs Method::run_networks(const Batch& batch, const Progress& progress) const {
  auto d_missing = dropout_of(batch, progress, 1);
  const auto mode = [&](models::SampleDropout& dropout) {
    return models::ForwardMode{.dropout = options_.dropout ? &dropout : nullptr};
  };
  Outputs out{complete_of(batch), {}, {}};
  if (!out.complete.none()) {
    auto d_full = dropout_of(out.complete.batch, progress, 0);
    out.full = full_->forward(full_input(out.complete.batch.image), mode(d_full));
  }
  out.missing = missing_->forward(missing_input(batch.image, batch.subsets.at(0)), mode(d_missing));
  return out;
}

Loss Method::loss(const std::string& phase, const Batch& batch, const Progress& progress) {
  return phase == "discriminator" ? discriminator_loss(batch, progress)
                                  : joint_loss(batch, progress);
}

Loss Method::joint_loss(const Batch& batch, const Progress& progress) {
  const Outputs out = run_networks(batch, progress);
  const bool taught = !out.complete.none();
  styles_.put(batch.image, {taught ? out.full.style.detach() : at::Tensor(),
                            out.missing.style.detach(), out.complete});
  const at::Tensor missing = precise(out.missing.logit).sigmoid();
  const Terms terms =
      common_terms(out.complete, taught ? precise(out.full.logit).sigmoid() : at::Tensor(), missing,
                   batch.label);
  const auto beside = [&](const at::Tensor& of_missing) {
    return precise(out.complete.of(of_missing));
  };
  const at::Tensor content = out.complete.mean(
      [&] { return at::mse_loss(precise(out.full.content), beside(out.missing.content)); },
      missing);
  // With one feature this is |Gram_f - Gram_m|^2 / (4 C^2 (H W)^2) times 1e-4: 6.6e-15 times a
  // number of order one at the published crop.
  const at::Tensor gram = out.complete.mean(
      [&] {
        const std::vector<at::Tensor> s_full = {precise(out.full.style)},
                                      s_missing = {beside(out.missing.style)};
        return options_.mean_gram ? losses::mean_gram_matching(s_full, s_missing)
                                  : losses::gram_matching(s_full, s_missing);
      },
      missing);
  Loss loss;
  loss.parts = {{"dice_full", terms.dice_full},
                {"dice_missing", terms.dice_missing},
                {"consistency", terms.consistency},
                {"content", content},
                {"gram", gram}};
  loss.total = weighted(terms, progress) + options_.content_weight * content +
               options_.gram_weight.value_or(options_.mean_gram ? 0 : 1) * gram;
  if (options_.adversarial_weight > 0) {
    const at::Tensor fooled =
        cross_entropy_to(precise(discriminator_->forward(out.missing.style)), 0);
    loss.parts.emplace_back("adversarial", fooled);
    loss.total = loss.total + options_.adversarial_weight * fooled;
  }
  loss.output = out.missing.logit.detach();
  return loss;
}

// On the styles that the joint phase made, so both phases see the networks before their step; asked
// for alone, the phase makes them.
Loss Method::discriminator_loss(const Batch& batch, const Progress& progress) {
  std::optional<Styles> styles = styles_.take(batch.image);
  if (!styles) {
    const torch::NoGradGuard no_grad;
    const Outputs out = run_networks(batch, progress);
    styles = Styles{out.full.style, out.missing.style, out.complete};
  }
  const at::Tensor missing = cross_entropy_to(precise(discriminator_->forward(styles->missing)), 1);
  const at::Tensor full = styles->complete.mean(
      [&] { return cross_entropy_to(precise(discriminator_->forward(styles->full)), 0); }, missing);
  return {full + missing, {{"full", full}, {"missing", missing}}, {}};
}

at::Tensor Method::segment(const at::Tensor& input, const models::ForwardMode& mode) const {
  return missing_->forward(input, mode).logit;
}

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "smu-net",
      .title = "Style matching U-Net",
      .source =
          "\"SMU-Net: Style matching U-Net for brain tumor segmentation with missing modalities\", "
          "MIDL 2022, arXiv 2204.02961; published code rezazad68/smunet, commit 251f3ad",
      .idea =
          "A network that sees all modalities and one that sees some of them are trained together "
          "from scratch, each splitting its bottleneck into content and style. Contents are "
          "matched directly, styles by Gram matrices and by a discriminator that tells complete "
          "from incomplete ones. Published as one pair per subset; by default here one student "
          "with zeros for what is missing serves all subsets.",
      .output =
          "logits of ED, NET, ET, BG of the missing network (independent sigmoids; BG unused)",
      .deviations =
          "Without official: one student for all subsets (option subset for the published family), "
          "the discriminator's optimiser persists, epoch e has rate 1e-4 (1 - e/E)^0.9, dropout is "
          "off in evaluation, whole volumes are segmented in windows. Always: losses are means "
          "over samples (the published batch is 1); a case that lacks a modality trains the "
          "missing "
          "network alone; the best checkpoint is chosen on validation "
          "cases (published: the last one is kept); splits are by patient (published: the first "
          "fifth of a sorted list). The paper's variational style matching is not in its code and "
          "not here. Published scores: lacuna eval --dice-smooth 1.",
      .options = binding().declared(),
      // 250 epochs of 228 cases (BraTS 2018's 80 %).
      .run_defaults = R"({"train": {"steps": 57000, "batch": 1}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::smu_net
