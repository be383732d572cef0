#include "methods/ra_hved/method.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/precise.h"
#include "losses/region_targets.h"
#include "methods/shared/availability.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/sample_keys.h"
#include "methods/shared/sample_noise.h"
#include "models/initialisation.h"

namespace lacuna::methods::ra_hved {
namespace {

using losses::precise;

constexpr data::Extent kPublishedPatch{112, 112, 112};
constexpr double kVarianceEpsilon = 1e-8;
// RA_HVED.py: every variance, the prior's too, plus 1e-8.
constexpr ExpertRule kRule{.variance_epsilon = kVarianceEpsilon,
                           .prior_precision = 1 / (1 + kVarianceEpsilon),
                           .log_epsilon = 0};
// Uses of a sample's random numbers: dropout and noise of the pass with everything and of that with
// the subset.
enum : std::uint32_t { kFullDropout, kPartDropout, kFullNoise, kPartNoise };

std::vector<data::Region> target_regions() {
  std::vector<data::Region> regions = data::tumour_regions();  // ET, TC, WT
  std::reverse(regions.begin(), regions.end());
  return regions;
}

}  // namespace

at::Tensor region_weight(const at::Tensor& probability) {
  const torch::NoGradGuard no_grad;
  at::Tensor weight = at::zeros_like(probability.narrow(1, 0, 1));
  for (std::int64_t region = 0; region < kRegions; ++region) {  // from the outermost inwards
    const at::Tensor own = probability.narrow(1, region, 1);
    weight = at::where(own > 0.5, own, weight);
  }
  return weight;
}

at::Tensor dice_sums(const at::Tensor& probability, const at::Tensor& target) {
  const auto sum = [](const at::Tensor& x) { return x.sum({0, 2, 3, 4}); };
  return at::stack({sum(probability * target), sum(probability.square()) + sum(target.square())},
                   1);
}

at::Tensor dice_loss(const at::Tensor& sums) {
  return 1 - (2 * sums.select(-1, 0) / sums.select(-1, 1).clamp_min(1e-6)).mean(-1);
}

at::Tensor judged_error(const at::Tensor& judgement, double label) {
  return (precise(judgement) - label).square().mean();
}

Method::Method(const MethodSettings& settings)
    : options_(binding().parse(settings.options)),
      patch_(settings.patch.value_or(kPublishedPatch)),
      order_(settings.modalities, {"T1c", "T1", "T2", "FLAIR"}) {
  // Below 32 voxels the discriminator's last kernel has nothing to stand on.
  require_extent(patch_, extent_multiple(), "data.patch", /*times=*/2);
  network_ =
      module_->register_module("model", std::make_shared<Network>(order_.size(), settings.width));
  discriminator_ = module_->register_module(
      "disc", std::make_shared<Discriminator>(kRegions + order_.size(), settings.width));
}

// Weights N(0, 2 / fan_in).
void Method::initialise() {
  models::initialise_kaiming(*module_);
  const torch::NoGradGuard no_grad;
  for (auto& item : module_->named_parameters()) {
    if (!item.key().ends_with("bias")) continue;
    options_.random_biases ? item.value().normal_() : item.value().zero_();
  }
}

Method::LevelExperts Method::experts(const at::Tensor& image,
                                     const models::ForwardMode& mode) const {
  LevelExperts levels;
  for (auto& raw : network_->encode(order_.image(image), options_.dropout, mode)) {
    for (at::Tensor& each : raw) each = precise(each);
    levels.emplace_back(raw, kRule);
  }
  return levels;
}

Method::Pass Method::pass(const LevelExperts& experts, const std::vector<SubsetMask>& subsets,
                          std::vector<std::uint64_t> keys, bool rebuild_with_gradient) const {
  SampleNoise noise(std::move(keys));
  const at::Tensor mask = order_.mask(subsets, experts.front().precision().front());
  Pass made;
  Levels latents;
  for (std::size_t l = 0; l < experts.size(); ++l) {
    const losses::Gaussian q = experts[l].product(mask);
    latents[l] = noise.none() ? q.mean : q.mean + (q.log_variance / 2).exp() * noise.like(q.mean);
    made.posterior.push_back(q);
  }
  const Levels features = network_->expand(latents);
  made.logits = precise(network_->segment(features));
  const at::AutoGradMode gradient(at::GradMode::is_enabled() && rebuild_with_gradient);
  made.images = precise(network_->rebuild(features));
  return made;
}

// Both see the whole image; only the product leaves modalities out. Without dropout both have the
// same experts.
Method::Passes Method::passes(const Batch& batch, const Progress& progress) const {
  const bool drawn = !batch.sample_index.empty();
  const auto keys = [&](std::uint32_t use) {
    return drawn ? sample_keys(batch, progress, use) : std::vector<std::uint64_t>{};
  };
  models::SampleDropout of_full(keys(kFullDropout)), of_part(keys(kPartDropout));
  const bool dropout = drawn && options_.dropout > 0;
  const LevelExperts full = experts(batch.image, {.dropout = dropout ? &of_full : nullptr});
  const LevelExperts part = dropout ? experts(batch.image, {.dropout = &of_part}) : full;
  return {pass(full, available_of(batch), keys(kFullNoise), /*rebuild_with_gradient=*/false),
          pass(part, batch.subsets.at(0), keys(kPartNoise), /*rebuild_with_gradient=*/true)};
}

// The images count more where the pass itself sees the tumour.
Method::Judged Method::judged(const Passes& made) {
  const auto shown = [](const Pass& pass) {
    const at::Tensor p = pass.logits.sigmoid();
    return at::cat({p, pass.images * (1 + region_weight(p))}, 1);
  };
  return {shown(made.part), shown(made.full)};
}

Loss Method::loss(const std::string& phase, const Batch& batch, const Progress& progress) {
  return phase == "discriminator" ? discriminator_loss(batch, progress)
                                  : generator_loss(batch, progress);
}

Loss Method::generator_loss(const Batch& batch, const Progress& progress) {
  const Passes made = passes(batch, progress);
  const at::Tensor target =
      losses::region_targets(batch.label, target_regions(), made.full.logits.scalar_type());
  at::Tensor sums = at::stack({dice_sums(made.full.logits.sigmoid(), target),
                               dice_sums(made.part.logits.sigmoid(), target)});
  if (batch.over_ranks) sums = batch.over_ranks(sums);
  const at::Tensor dice = dice_loss(sums);

  // Per sample the mean over what the case has.
  const at::Tensor image = precise(order_.image(batch.image));
  const at::Tensor has = order_.mask(available_of(batch), image);
  const at::Tensor errors = (made.part.images - image).square().mean({2, 3, 4});
  const at::Tensor images = ((errors * has).sum(1) / has.sum(1)).mean();

  at::Tensor divergence;
  for (const losses::Gaussian& q : made.part.posterior) {
    const at::Tensor own = losses::gaussian_kl_to_prior(q, kVarianceEpsilon) / kLevels;
    divergence = divergence.defined() ? divergence + own : own;
  }
  Loss loss{
      dice[0] + dice[1] + options_.image_weight * images + options_.divergence_weight * divergence,
      {{"dice_full", dice[0]},
       {"dice_subset", dice[1]},
       {"images", images},
       {"divergence", divergence}},
      made.part.logits.detach()};
  if (options_.adversarial_weight > 0) {
    const Judged shown = judged(made);
    const at::Tensor fooled = judged_error(discriminator_->forward(shown.fake), 1);
    loss.parts.emplace_back("adversarial", fooled);
    loss.total = loss.total + options_.adversarial_weight * fooled;
    judged_.put(batch.image, {shown.fake.detach(), shown.real.detach()});
  }
  return loss;
}

// On what the generator's phase made, so it sees the networks before their step; asked for alone,
// the phase makes it.
Loss Method::discriminator_loss(const Batch& batch, const Progress& progress) {
  std::optional<Judged> shown = judged_.take(batch.image);
  if (!shown) {
    const torch::NoGradGuard no_grad;
    shown = judged(passes(batch, progress));
  }
  const at::Tensor fake = judged_error(discriminator_->forward(shown->fake), 0);
  const at::Tensor real = judged_error(discriminator_->forward(shown->real), 1);
  return {options_.adversarial_weight * (fake + real) / 2, {{"fake", fake}, {"real", real}}, {}};
}

Features Method::encode(const at::Tensor& image) {
  Features precision, weighted;
  for (const Experts& level : experts(image, {})) {
    precision.insert(precision.end(), level.precision().begin(), level.precision().end());
    weighted.insert(weighted.end(), level.weighted().begin(), level.weighted().end());
  }
  precision.insert(precision.end(), weighted.begin(), weighted.end());
  return precision;
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const auto modalities = static_cast<std::ptrdiff_t>(order_.size());
  const auto half = static_cast<std::ptrdiff_t>(features.size() / 2);
  LevelExperts levels;
  for (std::ptrdiff_t level = 0; level < kLevels; ++level) {
    const auto begin = features.begin() + level * modalities;
    levels.emplace_back(std::vector<at::Tensor>(begin, begin + modalities),
                        std::vector<at::Tensor>(begin + half, begin + half + modalities), kRule);
  }
  const auto samples = static_cast<std::size_t>(features.front().size(0));
  std::vector<at::Tensor> decoded;
  for (const SubsetMask subset : subsets) {
    const std::vector<SubsetMask> each(samples, subset);
    const at::Tensor mask = order_.mask(each, features.front());
    Levels latents;
    for (std::size_t l = 0; l < levels.size(); ++l) latents[l] = levels[l].product(mask).mean;
    decoded.push_back(network_->segment(network_->expand(latents)));
  }
  return at::stack(decoded);
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  return decode(encode(image), {subset})[0];
}

at::Tensor Method::complete(const at::Tensor& image, SubsetMask subset) const {
  const std::vector<SubsetMask> subsets(static_cast<std::size_t>(image.size(0)), subset);
  const at::Tensor images = pass(experts(image, {}), subsets, {}, false).images;
  std::vector<at::Tensor> of_cohort(static_cast<std::size_t>(order_.size()));
  for (std::int64_t m = 0; m < order_.size(); ++m) {
    const auto place = static_cast<std::size_t>(order_.channels()[static_cast<std::size_t>(m)]);
    of_cohort[place] = images.narrow(1, m, 1);
  }
  return at::cat(of_cohort, 1);
}

}  // namespace lacuna::methods::ra_hved
