#include "methods/u_hved/method.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/precise.h"
#include "methods/shared/sample_keys.h"
#include "methods/shared/sample_noise.h"
#include "models/modality_names.h"

namespace lacuna::methods::u_hved {
namespace {

using losses::Gaussian;
using losses::precise;

Experts of_sample(const Experts& experts, std::int64_t n) {
  std::vector<at::Tensor> precision, weighted;
  for (const at::Tensor& each : experts.precision()) precision.push_back(each.narrow(0, n, 1));
  for (const at::Tensor& each : experts.weighted()) weighted.push_back(each.narrow(0, n, 1));
  return Experts(std::move(precision), std::move(weighted));
}

}  // namespace

Method::Method(const MethodSettings& settings)
    : options_(binding().parse(settings.options)),
      patch_(settings.patch.value_or(kHeteroPatch)),
      order_(settings.modalities, {"T1", "T1c", "T2", "FLAIR"}) {
  encoders_ = hetero_encoders(*module_, settings.modalities, settings.width, /*halved=*/false);
  const auto latent = models::hetero_channels(settings.width);
  const auto decoder = [&](const std::string& name, std::int64_t channels) {
    return module_->register_module(
        name, std::make_shared<models::HeteroDecoder>(latent, channels, settings.width));
  };
  for (const std::string& modality : settings.modalities.names()) {
    // The port's names: t1ce_encoder, but t1c_decoder.
    std::string name = models::published_modality_name(modality);
    if (name == "t1ce") name = "t1c";
    images_.push_back(decoder(name + "_decoder", 1));
  }
  segmentation_ = decoder("seg_decoder", kHeteroClasses);
}

Method::Levels Method::experts(const at::Tensor& image) const {
  std::vector<std::vector<at::Tensor>> raw(models::kHeteroLevels);
  for (std::size_t m = 0; m < encoders_.size(); ++m) {
    const auto features = encoders_[m]->forward(image.narrow(1, static_cast<std::int64_t>(m), 1));
    for (std::size_t level = 0; level < raw.size(); ++level) {
      raw[level].push_back(precise(features[level]));
    }
  }
  Levels levels;
  for (const auto& each : raw) levels.emplace_back(each);
  return levels;
}

std::vector<at::Tensor> Method::latents(const Levels& levels, SubsetMask subset,
                                        const std::vector<std::uint64_t>& keys) const {
  SampleNoise noise(keys);
  std::vector<at::Tensor> z;
  for (const Experts& level : levels) {
    const Gaussian q = level.product(subset);
    z.push_back(noise.none() ? q.mean : q.mean + (q.log_variance / 2).exp() * noise.like(q.mean));
  }
  return z;
}

Features Method::encode(const at::Tensor& image) {
  Features precision, weighted;
  for (const Experts& level : experts(image)) {
    precision.insert(precision.end(), level.precision().begin(), level.precision().end());
    weighted.insert(weighted.end(), level.weighted().begin(), level.weighted().end());
  }
  precision.insert(precision.end(), weighted.begin(), weighted.end());
  return precision;
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const auto modalities = static_cast<std::ptrdiff_t>(encoders_.size());
  const auto half = static_cast<std::ptrdiff_t>(features.size() / 2);
  Levels levels;
  for (std::ptrdiff_t level = 0; level < models::kHeteroLevels; ++level) {
    const auto begin = features.begin() + level * modalities;
    levels.emplace_back(std::vector<at::Tensor>(begin, begin + modalities),
                        std::vector<at::Tensor>(begin + half, begin + half + modalities));
  }
  // The released code segments with a sample; every sample of the batch has the same noise here.
  std::vector<std::uint64_t> keys;
  if (options_.sample) keys.assign(static_cast<std::size_t>(features[0].size(0)), 1);
  std::vector<at::Tensor> decoded;
  for (const SubsetMask subset : subsets) {
    decoded.push_back(segmentation_->forward(latents(levels, subset, keys)));
  }
  return at::stack(decoded);
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  return decode(encode(image), {subset})[0];
}

at::Tensor Method::complete(const at::Tensor& image, SubsetMask subset) const {
  const std::vector<at::Tensor> z = latents(experts(image), subset, {});
  std::vector<at::Tensor> completed;
  for (const auto& decoder : images_) completed.push_back(decoder->forward(z));
  return at::cat(completed, 1);
}

// The term s = S is zero, hence one less in the first divisor.
Method::Divergence Method::divergence(const Levels& levels, SubsetMask drawn,
                                      SubsetMask available) const {
  std::vector<SubsetMask> all;
  for (SubsetMask s = 1; s < SubsetMask{1} << encoders_.size(); ++s) {
    if ((s & ~available) == 0) all.push_back(s);
  }
  const auto count = static_cast<double>(all.size());
  Divergence sum;
  for (const Experts& level : levels) {
    const Gaussian whole = level.product(drawn);
    for (const SubsetMask s : all) {
      const Gaussian part = level.product(s);
      const at::Tensor prior = losses::gaussian_kl_to_prior(part) / count;
      sum.prior = sum.prior.defined() ? sum.prior + prior : prior;
      const at::Tensor other = losses::gaussian_kl(whole, part) / std::max(count - 1, 1.0);
      sum.subsets = sum.subsets.defined() ? sum.subsets + other : other;
    }
  }
  const auto number = static_cast<double>(levels.size());
  return {sum.subsets / number, sum.prior / number};
}

// Sample by sample, since each may have a subset and modalities of its own; the published batch is
// one sample.
Loss Method::loss(const std::string&, const Batch& batch, const Progress& progress) {
  const Levels levels = experts(batch.image);
  std::vector<std::uint64_t> keys;  // none: means instead of samples
  if (!batch.sample_index.empty()) keys = sample_keys(batch, progress, 0);
  const std::int64_t samples = batch.image.size(0);
  const auto everything = static_cast<SubsetMask>((SubsetMask{1} << encoders_.size()) - 1);
  std::vector<at::Tensor> logits;
  at::Tensor rebuilt, subsets, prior;
  const auto add = [samples](at::Tensor& mean, const at::Tensor& value) {
    const at::Tensor share = value / static_cast<double>(samples);
    mean = mean.defined() ? mean + share : share;
  };
  for (std::int64_t n = 0; n < samples; ++n) {
    const auto at = static_cast<std::size_t>(n);
    const SubsetMask available = batch.available.empty() ? everything : batch.available[at];
    const SubsetMask drawn = batch.subsets.at(0)[at];
    Levels own;
    for (const Experts& level : levels) own.push_back(of_sample(level, n));
    const auto key = keys.empty() ? keys : std::vector<std::uint64_t>{keys[at]};
    const std::vector<at::Tensor> z = latents(own, drawn, key);
    logits.push_back(precise(segmentation_->forward(z)));
    at::Tensor error;
    for (std::size_t m = 0; m < images_.size(); ++m) {
      if (!data::contains(available, static_cast<int>(m))) continue;
      const at::Tensor truth =
          batch.image.narrow(0, n, 1).narrow(1, static_cast<std::int64_t>(m), 1);
      const at::Tensor part = at::mse_loss(precise(images_[m]->forward(z)), precise(truth));
      error = error.defined() ? error + part : part;
    }
    add(rebuilt, error / static_cast<double>(data::count(available)));
    const Divergence kl = divergence(own, drawn, available);
    add(subsets, kl.subsets);
    add(prior, kl.prior);
  }
  const at::Tensor output = at::cat(logits);
  const auto [cross_entropy, dice] =
      hetero_segmentation_loss(output, batch.label, options_.dice_numerator);
  const at::Tensor decay = hetero_decay(*module_, options_.decay);
  return {cross_entropy + dice + options_.divergence_weight * (subsets + prior) +
              options_.image_weight * rebuilt + decay,
          {{"cross_entropy", cross_entropy},
           {"dice", dice},
           {"kl_subsets", subsets},
           {"kl_prior", prior},
           {"images", rebuilt},
           {"decay", decay}},
          output.detach()};
}

const OptionBinding<Options>& binding() {
  static const auto options =
      OptionBinding<Options>()
          .flag("official", &Options::official, false,
                "The published code wherever it deviates: the default of each key below that is "
                "null.")
          .flag("sample", &Options::sample, by_official(false, true),
                "Segmentation from a sample of the posterior, not from its mean.")
          .number("dice_numerator", &Options::dice_numerator, 1e-5,
                  "Added to the numerator of Dice; 0 in older releases.", {.minimum = 0})
          .number("decay", &Options::decay, 1e-5,
                  "Weight decay: the mean over kernels of half of their squared norm.",
                  {.minimum = 0})
          .number("divergence_weight", &Options::divergence_weight, 0.1,
                  "Weight of the Kullback-Leibler divergences.", {.minimum = 0})
          .number("image_weight", &Options::image_weight, 0.1,
                  "Weight of rebuilding the modalities.", {.minimum = 0});
  return options;
}

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "u-hved",
      .title = "Hetero-modal variational encoder-decoder",
      .source =
          "\"Hetero-Modal Variational Encoder-Decoder for Joint Modality Completion and "
          "Segmentation\", MICCAI 2019, arXiv 1907.11150; code ReubenDo/U-HVED, extensions/u_hved",
      .idea =
          "Each modality has an encoder that states a Gaussian at every scale. The Gaussians of "
          "the modalities that are there are multiplied with a prior, so any number of them can be "
          "given. From one sample of the product four decoders rebuild all modalities and one "
          "segments; the posteriors of all subsets are drawn together.",
      .output = "logits of background, necrosis, oedema, enhancing tumour (softmax follows)",
      .deviations =
          "Without official: segmentation from the posterior's mean (published: from a sample). "
          "Always: the learning rate falls every sixth of the run (the published file says every "
          "10 steps, which leaves none); images are z-scored in the brain (published: histogram "
          "standardisation first); windows overlap by a quarter and are blended (published: a "
          "border of 10 voxels is discarded); what a case lacks is neither rebuilt nor an expert; "
          "the best checkpoint is chosen on validation cases.",
      .options = binding().declared(),
      .run_defaults = R"({"train": {"steps": 60000, "batch": 1}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::u_hved
