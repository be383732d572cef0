#include "methods/medmap/alignment.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "losses/precise.h"
#include "methods/shared/zero_fill.h"
#include "models/initialisation.h"

namespace lacuna::methods::medmap {
namespace {

constexpr double kMomentum = 0.1, kEpsilon = 1e-5;
constexpr double kLeastVariance = 1e-12;  // a channel that is all 0 has no logarithm

// w: N or 1 x J -> what multiplies features of modality j.
at::Tensor entry(const at::Tensor& w, std::size_t j, const at::Tensor& like) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = w.size(0);
  return w.select(1, static_cast<std::int64_t>(j)).view(shape);
}

at::Tensor mean_of_samples(const at::Tensor& x) { return x.flatten(1).mean(1); }

// Card 4.3 with v the standard deviation: KL(N(mu, v^2), N(0, 1)) of each sample and channel.
at::Tensor divergence_from_normal(const at::Tensor& z) {
  const auto [variance, mean] = at::var_mean(z.flatten(2), at::OptionalIntArrayRef({2}),
                                             /*correction=*/at::Scalar(0), /*keepdim=*/false);
  const at::Tensor least = variance.clamp_min(kLeastVariance);
  return mean_of_samples((least + mean.square() - 1 - least.log()) / 2);
}

}  // namespace

Alignment::Alignment(const data::ModalitySet& cohort, const Options& options)
    : options_(options), order_(cohort, rfnet_order()) {
  if (options.anchor == Anchor::kModality) {
    const auto place = std::find(names().begin(), names().end(), options.anchor_modality);
    if (place == names().end()) {
      throw_error<ConfigError>(
          "method_options.anchor_modality={}: the cohort has no such modality. It has {}.",
          options.anchor_modality, fmt::join(names(), ", "));
    }
    anchor_place_ = static_cast<std::size_t>(place - names().begin());
  }
  if (maps_first_level() && !mixes()) {
    throw_error<ConfigError>(
        "method_options.placement=stage1: the anchor stands for what is missing, so it must be a "
        "mixture of what is there. Set method_options.anchor to softmax, ratio or raw, or "
        "method_options.placement to input.");
  }
  const std::int64_t modalities = order_.size();
  weights_ = module_->register_parameter("weights", torch::zeros({modalities}));
  if (maps_first_level() || options.encoder == Encoder::kIdentity) return;
  const std::int64_t seen = options.encoder == Encoder::kDense ? modalities : 1;
  for (const char* name : {"embed", "latent"}) {
    const auto part = module_->register_module(name, std::make_shared<torch::nn::Module>());
    const auto sequence = part->register_module("conv", std::make_shared<torch::nn::Module>());
    const auto conv = sequence->register_module("0", std::make_shared<torch::nn::Module>());
    layers_.push_back(
        {conv->register_parameter("weight", torch::zeros({modalities, seen, 3, 3, 3})),
         sequence->register_module("1", std::make_shared<models::BatchNorm>(modalities))});
  }
}

bool Alignment::mixes() const {
  return options_.anchor != Anchor::kModality && options_.anchor != Anchor::kNormal;
}

// PyTorch's defaults; FLAIR, or whichever modality comes first, leads the mixture (card 9.3).
void Alignment::initialise() {
  models::initialise_fan_in(*module_);
  const torch::NoGradGuard no_grad;
  weights_.zero_();
  weights_[0] = 1;
}

std::vector<std::string> Alignment::trained() const {
  std::vector<std::string> names;
  for (const auto& item : module_->named_parameters()) {
    if (item.key() != "weights" || mixes()) names.push_back(item.key());
  }
  return names;
}

bool Alignment::leaves_out_missing() const {
  return !options_.separate_missing.value_or(maps_first_level() || options_.leak);
}

at::Tensor Alignment::apply(const Layer& layer, const at::Tensor& x, bool training) const {
  const std::int64_t groups = order_.size() / layer.weight.size(1);
  const at::Tensor y =
      at::conv3d(x, layer.weight, {}, /*stride=*/1, /*padding=*/1, /*dilation=*/1, groups);
  models::BatchNorm& norm = *layer.norm;
  if (options_.norm == Norm::kGroup) {
    return at::group_norm(y, 1, norm.weight, norm.bias, kEpsilon).relu_();
  }
  if (options_.norm == Norm::kInstance) return norm.forward(y, {});
  const bool follow = at::GradMode::is_enabled();  // a loss that is only looked at leaves no trace
  if (training && options_.batch_statistics) {
    if (follow) norm.num_batches_tracked.add_(1);
    return at::batch_norm(y, norm.weight, norm.bias, follow ? norm.running_mean : at::Tensor(),
                          follow ? norm.running_var : at::Tensor(), /*training=*/true, kMomentum,
                          kEpsilon, /*cudnn_enabled=*/true)
        .relu_();
  }
  return norm.forward(y, {.running_statistics = !training, .update_running = training && follow});
}

at::Tensor Alignment::encode(const at::Tensor& image, bool training) {
  at::Tensor z = image;
  for (const Layer& layer : layers_) z = apply(layer, z, training);
  return z;
}

at::Tensor Alignment::mixture(const at::Tensor& allowed) const {
  at::Tensor w = options_.anchor == Anchor::kSoftmax ? weights_.softmax(0) : weights_;
  w = w.unsqueeze(0);
  if (allowed.defined()) w = w * allowed.to(w.scalar_type());
  const bool rescale = options_.anchor == Anchor::kRatio ||
                       (options_.anchor == Anchor::kSoftmax && allowed.defined());
  return rescale ? w / w.sum(1, /*keepdim=*/true) : w;
}

at::Tensor Alignment::anchor(const std::vector<at::Tensor>& z, const at::Tensor& allowed) const {
  const bool detach = options_.detach_anchor.value_or(options_.anchor == Anchor::kModality);
  const auto source = [&](std::size_t j) { return detach ? z[j].detach() : z[j]; };
  if (options_.anchor == Anchor::kModality) return source(anchor_place_);
  const at::Tensor w = mixture(allowed);
  at::Tensor a;
  for (std::size_t j = 0; j < z.size(); ++j) {
    if (!z[j].defined()) continue;
    const at::Tensor part = entry(w, j, z[j]).to(z[j].scalar_type()) * source(j);
    a = a.defined() ? a + part : part;
  }
  return a;
}

at::Tensor Alignment::loss_of(const std::vector<at::Tensor>& z, const at::Tensor& included) const {
  std::vector<at::Tensor> exact, terms;
  for (const at::Tensor& each : z) exact.push_back(losses::precise(each));
  const at::Tensor a = options_.anchor == Anchor::kNormal ? at::Tensor() : anchor(exact, included);
  for (const at::Tensor& each : exact) {
    terms.push_back(a.defined() ? mean_of_samples((each - a).square())
                                : divergence_from_normal(each));
  }
  const at::Tensor all = at::stack(terms, 1);  // N x J
  if (!included.defined()) return all.mean();
  const at::Tensor counts = included.to(all.scalar_type());
  return ((all * counts).sum(1) / counts.sum(1)).mean();
}

at::Tensor Alignment::image(const at::Tensor& image, const std::vector<SubsetMask>& subsets,
                            bool training) {
  if (maps_first_level()) return image;
  const at::Tensor given = options_.leak ? image : zero_fill(image, subsets);
  const at::Tensor z = encode(order_.image(given), training);
  // Also of what a sample lacks: its channel is what the encoder makes of the others.
  if (training && at::GradMode::is_enabled()) loss_ = loss_of(z.split(1, 1), {});
  std::vector<std::int64_t> back(static_cast<std::size_t>(order_.size()));
  for (std::size_t j = 0; j < back.size(); ++j) {
    back[static_cast<std::size_t>(order_.channels()[j])] = static_cast<std::int64_t>(j);
  }
  return z.index_select(1, at::tensor(back, at::kLong).to(z.device()));
}

// Card 2.2 and 9.11, of each sample its own subset. Training: the anchor is of all that the case
// has. Evaluation: of what is there.
void Alignment::first_level(std::vector<at::Tensor>& features,
                            const std::vector<SubsetMask>& subsets,
                            const std::vector<SubsetMask>& available, bool training) {
  std::vector<at::Tensor> z;
  for (const int channel : order_.channels()) {
    z.push_back(features[static_cast<std::size_t>(channel)]);
  }
  const at::Tensor like =
      *std::find_if(z.begin(), z.end(), [](const at::Tensor& each) { return each.defined(); });
  const at::Tensor present = order_.mask(subsets, like);
  at::Tensor allowed;  // undefined: all, of every sample
  if (training && !available.empty()) allowed = order_.mask(available, like);
  if (!training) allowed = present;
  if (training && at::GradMode::is_enabled()) loss_ = loss_of(z, allowed);
  const at::Tensor a = anchor(z, allowed);
  const at::Tensor scale = !training && options_.test_scale ? mixture({}) : at::Tensor();
  for (std::size_t j = 0; j < z.size(); ++j) {
    at::Tensor made = z[j].defined() ? at::where(entry(present, j, like) > 0, z[j], a) : a;
    if (scale.defined()) made = made * entry(scale, j, like).to(made.scalar_type());
    features[static_cast<std::size_t>(order_.channels()[j])] = made;
  }
}

std::vector<std::pair<std::string, double>> Alignment::shares() const {
  std::vector<std::pair<std::string, double>> made;
  if (!mixes()) return made;
  const torch::NoGradGuard no_grad;
  const at::Tensor w = mixture({}).to(at::kCPU, at::kDouble);
  for (std::size_t j = 0; j < names().size(); ++j) {
    made.emplace_back("anchor/" + names()[j], w[0][static_cast<std::int64_t>(j)].item<double>());
  }
  return made;
}

}  // namespace lacuna::methods::medmap
