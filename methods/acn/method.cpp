#include "methods/acn/method.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/random.h"
#include "losses/precise.h"
#include "methods/shared/availability.h"
#include "methods/shared/extent_check.h"
#include "models/width.h"

namespace lacuna::methods::acn {
namespace {

using losses::cross_entropy_to;
using losses::precise;

constexpr const char* kEntropyJudge = "entropy_discriminator";
constexpr const char* kFeatureJudge = "feature_discriminator";

std::vector<models::ConvDiscriminator::Layer> entropy_layers(data::Extent extent, double width) {
  return models::ConvDiscriminator::halving(
      {models::scaled(64, width), models::scaled(128, width), models::scaled(256, width),
       models::scaled(512, width), 1},
      extent);
}

std::vector<models::ConvDiscriminator::Layer> feature_layers(double width) {
  return {{models::scaled(256, width), {3, 3, 3}, 1, {1, 1, 1}},
          {models::scaled(512, width), {3, 3, 3}, 1, {1, 1, 1}},
          {1, {3, 3, 3}, 2, {1, 1, 1}}};
}

}  // namespace

Method::Method(const MethodSettings& settings)
    : CoTraining(settings, binding().parse(settings.options), {"T1", "T2", "FLAIR", "T1c"}),
      options_(binding().parse(settings.options)),
      map_(settings.input_map) {
  require_extent(patch_, extent_multiple(), "data.patch");
  full_ = module_->register_module("model",
                                   std::make_shared<Network>(modalities_.size(), width_, patch_));
  missing_ = module_->register_module(
      "model_mono", std::make_shared<Network>(missing_channels(), width_, patch_));
  judge_of_entropy_ = module_->register_module(
      "d_main", std::make_shared<models::ConvDiscriminator>(4, entropy_layers(patch_, width_)));
  judge_of_features_ =
      module_->register_module("d_feature", std::make_shared<models::ConvDiscriminator>(
                                                full_->feature_channels(), feature_layers(width_)));
}

void Method::initialise() {
  full_->initialise();
  missing_->initialise();
  judge_of_entropy_->initialise();
  judge_of_features_->initialise();
}

// In no group, and so left alone by weight decay: the full network's regressor and, while their
// losses are off, the auto-encoders.
std::vector<ParameterGroup> Method::groups() {
  ParameterGroup networks{kCoTrainedNetworks, {}}, entropy{kEntropyJudge, {}},
      feature{kFeatureJudge, {}};
  for (const auto& item : module_->named_parameters()) {
    const std::string& name = item.key();
    if (name.starts_with("d_main.")) {
      entropy.parameters.push_back(name);
    } else if (name.starts_with("d_feature.")) {
      feature.parameters.push_back(name);
    } else if (!name.starts_with("model.VID_branch.") &&
               (options_.vae_weight > 0 || name.find(".vae_branch.") == std::string::npos)) {
      networks.parameters.push_back(name);
    }
  }
  return {networks, entropy, feature};
}

std::vector<std::string> Method::judges() const {
  std::vector<std::string> groups;
  if (options_.entropy_weight > 0) groups.emplace_back(kEntropyJudge);
  if (options_.feature_weight > 0) groups.emplace_back(kFeatureJudge);
  return groups;
}

// The full network sees all that the case has.
at::Tensor Method::full_image(const Batch& batch) const {
  return map_ ? map_->image(batch.image, available_of(batch), /*training=*/true) : batch.image;
}

Method::Outputs Method::run_networks(const Batch& batch, const Progress& progress) const {
  auto d_missing = dropout_of(batch, progress, 1);
  const auto mode = [&](models::SampleDropout& dropout) {
    return models::ForwardMode{.dropout = options_.dropout ? &dropout : nullptr};
  };
  Outputs out{complete_of(batch), {}, {}};
  if (!out.complete.none()) {
    auto d_full = dropout_of(out.complete.batch, progress, 0);
    out.full = full_->forward(full_input(full_image(out.complete.batch)), mode(d_full));
  }
  out.missing = missing_->forward(missing_input(batch.image, batch.subsets.at(0)), mode(d_missing));
  return out;
}

Method::Judged Method::judged(const Outputs& out) const {
  at::Tensor full;
  if (!out.complete.none()) {
    full = losses::entropy_map(precise(out.full.logit), options_.entropy_of);
  }
  return {full, losses::entropy_map(precise(out.missing.logit), options_.entropy_of),
          out.full.features, out.missing.features, out.complete};
}

at::Tensor Method::information(const Outputs& out) const {
  const InformationRegressor& regressor = missing_->regressor();
  const auto held = [&](const at::Tensor& features, const at::Tensor& target) {
    return losses::variational_information(precise(regressor.forward(features)), target,
                                           precise(regressor.log_scale));
  };
  if (options_.information_target == InformationTarget::kOwn) {
    return held(out.missing.features, precise(out.missing.features));
  }
  return out.complete.mean(
      [&] {
        at::Tensor target = precise(out.full.features);
        if (options_.information_target == InformationTarget::kFull) target = target.detach();
        return held(out.complete.of(out.missing.features), target);
      },
      precise(out.missing.logit));
}

// Myronenko 2018, Eq. 2 and 3: squared error of the rebuilt image plus KL to N(0, 1), both as
// means.
at::Tensor Method::auto_encoding(const Network& network, const at::Tensor& features,
                                 const at::Tensor& image, const Batch& batch,
                                 const Progress& progress, std::uint32_t number) const {
  at::Tensor noise;
  if (!batch.sample_index.empty()) {
    std::vector<double> drawn;
    for (const std::uint64_t index : batch.sample_index) {
      Stream stream(progress.seed, Purpose::kMethod, index, number);
      for (std::int64_t i = 0; i < features.size(1) / 4; ++i) drawn.push_back(stream.normal());
    }
    noise = at::tensor(drawn, at::kDouble)
                .view({static_cast<std::int64_t>(batch.sample_index.size()), -1})
                .to(features.options());
  }
  const VaeBranch::Output made = network.vae().forward(features, noise);
  const at::Tensor mu = precise(made.mu), logvar = precise(made.logvar);
  return at::mse_loss(precise(made.image), precise(image)) +
         (mu.square() + logvar.exp() - logvar - 1).mean();
}

Loss Method::loss(const std::string& phase, const Batch& batch, const Progress& progress) {
  return phase == "discriminator" ? discriminator_loss(batch, progress)
                                  : joint_loss(batch, progress);
}

Loss Method::joint_loss(const Batch& batch, const Progress& progress) {
  const Outputs out = run_networks(batch, progress);
  const Judged seen = judged(out);
  const auto cut = [](const at::Tensor& x) { return x.defined() ? x.detach() : x; };
  judged_.put(batch.image, {cut(seen.entropy_full), cut(seen.entropy_missing),
                            cut(seen.features_full), cut(seen.features_missing), out.complete});
  const auto probability = [](const Output& of) {
    return of.logit.defined() ? precise(of.logit).sigmoid() : at::Tensor();
  };
  const Terms terms = common_terms(out.complete, probability(out.full), probability(out.missing),
                                   batch.label, options_.softmax_kl);
  const at::Tensor shared = information(out);
  Loss loss;
  loss.parts = {{"dice_full", terms.dice_full},
                {"dice_missing", terms.dice_missing},
                {"consistency", terms.consistency},
                {"information", shared}};
  loss.total = weighted(terms, progress) + options_.information_weight * shared;
  const auto add = [&](const char* name, const at::Tensor& part, double weight) {
    loss.parts.emplace_back(name, part);
    loss.total = loss.total + weight * part;
  };
  if (options_.entropy_weight > 0) {
    add("entropy", cross_entropy_to(precise(judge_of_entropy_->forward(seen.entropy_missing)), 0),
        options_.entropy_weight);
  }
  if (options_.feature_weight > 0) {
    add("feature", cross_entropy_to(precise(judge_of_features_->forward(seen.features_missing)), 0),
        options_.feature_weight);
  }
  if (options_.vae_weight > 0) {
    const auto of_full = [&] {
      const Batch& whole = out.complete.batch;
      return auto_encoding(*full_, out.full.dropped, full_input(whole.image), whole, progress, 2);
    };
    add("auto_encoding",
        out.complete.mean(of_full, precise(out.missing.logit)) +
            auto_encoding(*missing_, out.missing.dropped,
                          missing_input(batch.image, batch.subsets.at(0)), batch, progress, 3),
        options_.vae_weight);
  }
  loss.output = out.missing.logit.detach();
  return loss;
}

// On what the joint phase made, so both phases see the networks before their step; asked for alone,
// the phase makes it.
Loss Method::discriminator_loss(const Batch& batch, const Progress& progress) {
  std::optional<Judged> seen = judged_.take(batch.image);
  if (!seen) {
    const torch::NoGradGuard no_grad;
    seen = judged(run_networks(batch, progress));
  }
  Loss loss;
  const auto add = [&](const char* name, const models::ConvDiscriminator& judge,
                       const at::Tensor& full, const at::Tensor& missing) {
    const at::Tensor beside = cross_entropy_to(precise(judge.forward(missing)), 1);
    const auto of_full = [&] { return cross_entropy_to(precise(judge.forward(full)), 0); };
    const at::Tensor part = (seen->complete.mean(of_full, beside) + beside) / 2;
    loss.parts.emplace_back(name, part);
    loss.total = loss.total.defined() ? loss.total + part : part;
  };
  if (options_.entropy_weight > 0) {
    add("entropy", *judge_of_entropy_, seen->entropy_full, seen->entropy_missing);
  }
  if (options_.feature_weight > 0) {
    add("feature", *judge_of_features_, seen->features_full, seen->features_missing);
  }
  return loss;
}

at::Tensor Method::segment(const at::Tensor& input, const models::ForwardMode& mode) const {
  return missing_->forward(input, mode).logit;
}

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "acn",
      .title = "Adversarial co-training network",
      .source =
          "\"ACN: Adversarial Co-training Network for Brain Tumor Segmentation with Missing "
          "Modalities\", MICCAI 2021, arXiv 2106.14591; published code Wangyixinxin/ACN, commit "
          "0643c57",
      .idea =
          "A network that sees all modalities and one that sees some of them are trained together "
          "from scratch. One discriminator judges the entropy maps of their predictions, one their "
          "bottleneck features, and the incomplete network is asked to hold information about the "
          "features of the complete one. Published as one pair per subset; by default here one "
          "student with zeros for what is missing serves all subsets.",
      .output =
          "logits of ED, NET, ET, BG of the missing network (independent sigmoids; BG unused)",
      .deviations =
          "Without official: one student for all subsets (option subset for the published family), "
          "information is transferred from the full network's features (the published code "
          "compares the missing network with itself), the discriminators' optimisers persist, "
          "epoch e has rate 1e-4 (1 - e/E)^0.9, dropout is off in evaluation, whole volumes are "
          "segmented in windows. Always: losses are means over samples (the published batch is 1); "
          "a case that lacks a modality trains the missing network alone; "
          "the auto-encoders' parameters are kept for weights of the published layout, but "
          "computed "
          "only when vae_weight is set (published: computed and in no loss); the best checkpoint "
          "is "
          "chosen by Dice of the regions.",
      .options = binding().declared(),
      // 300 epochs of 190 cases (two of three folds of BraTS 2018).
      .run_defaults = R"({"train": {"steps": 57000, "batch": 1}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::acn
