#include "methods/demoseg/method.h"

#include <algorithm>
#include <array>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/channel_kl.h"
#include "losses/precise.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/zero_fill.h"

namespace lacuna::methods::demoseg {
namespace {

using losses::precise;

// By level, finest first (card, section 4).
constexpr std::array<double, 5> kWeights{8.0 / 15, 4.0 / 15, 2.0 / 15, 1.0 / 15, 0};
constexpr double kSmooth = 1e-5;

}  // namespace

Method::Method(const MethodSettings& settings)
    : options_(binding().parse(settings.options)),
      patch_(settings.patch.value_or(data::Extent{128, 128, 128})),
      order_(settings.modalities, {"T1", "T1c", "T2", "FLAIR"}) {
  require_extent(patch_, extent_multiple(), "data.patch");
  network_ = std::make_shared<Network>(Network::Shape{.modalities = order_.names(),
                                                      .classes = kClasses,
                                                      .width = settings.width,
                                                      .sort = options_.sort});
}

std::vector<ParameterGroup> Method::groups() {
  ParameterGroup network{"network", {}};
  for (const auto& item : network_->named_parameters()) network.parameters.push_back(item.key());
  return {network};
}

std::vector<SubsetMask> Method::in_order(const std::vector<SubsetMask>& subsets) const {
  std::vector<SubsetMask> result;
  for (const SubsetMask subset : subsets) {
    SubsetMask own = 0;
    for (int j = 0; j < order_.size(); ++j) {
      if (order_.contains(subset, j)) own |= SubsetMask{1} << j;
    }
    result.push_back(own);
  }
  return result;
}

at::Tensor level_label(const at::Tensor& label, int level) {
  if (level == 0) return label;
  const std::int64_t step = std::int64_t{1} << level;
  at::Tensor taken = label;
  for (std::int64_t axis = 1; axis <= 3; ++axis) {
    taken = taken.slice(axis, step / 2, taken.size(axis), step);
  }
  return taken;
}

LevelLoss level_loss(const at::Tensor& logits, const at::Tensor& label) {
  const std::int64_t classes = logits.size(1);
  const at::Tensor truth = at::where(label < classes, label, 0).to(at::kLong);
  const at::Tensor log_p = logits.log_softmax(1);
  const at::Tensor p = log_p.exp().narrow(1, 1, classes - 1);
  const at::Tensor y =
      at::one_hot(truth, classes).movedim(-1, 1).narrow(1, 1, classes - 1).to(logits.scalar_type());
  const at::Tensor dice =
      1 - (2 * (p * y).sum({2, 3, 4}) + kSmooth) / (p.sum({2, 3, 4}) + y.sum({2, 3, 4}) + kSmooth);
  return {dice.mean(), at::nll_loss_nd(log_p, truth)};
}

at::Tensor stand_in_divergence(const std::vector<at::Tensor>& own, data::SubsetMask present,
                               int slots) {
  at::Tensor sum;
  for (std::size_t m = 0; m < own.size(); ++m) {
    for (std::size_t j = 0; j < own.size(); ++j) {
      if (m == j || !data::contains(present, static_cast<int>(m)) ||
          !data::contains(present, static_cast<int>(j))) {
        continue;
      }
      const std::int64_t channels = own[m].size(1) / slots;
      const at::Tensor self = own[j].narrow(1, 0, channels);
      const at::Tensor stand_in =
          own[m].narrow(1, static_cast<std::int64_t>(m ^ j) * channels, channels);
      // The mean over all elements, channels among them.
      const at::Tensor part =
          losses::channel_kl(self, stand_in).sum() / static_cast<double>(channels);
      sum = sum.defined() ? sum + part : part;
    }
  }
  return sum;
}

// The published factor 1/2 stands for the published batch of 2: the sum over the global batch is
// the mean over what is here times its size.
Loss Method::loss(const std::string&, const Batch& batch, const Progress&) {
  const at::Tensor image = order_.image(zero_fill(batch.image, batch.subsets.at(0)));
  const std::vector<SubsetMask> present = in_order(batch.subsets[0]);
  SubsetMask any = 0;
  for (const SubsetMask each : present) any |= each;
  const Branches branches = network_->branches(image, any);
  const std::vector<at::Tensor> logits =
      network_->trunk(lend(branches.sorted, present, network_->slots()), /*coarse=*/true);

  Loss loss;
  at::Tensor total;
  for (std::size_t level = 0; level < logits.size(); ++level) {
    const bool counts = kWeights[level] > 0;
    const at::Tensor judged = counts ? logits[level] : logits[level].detach();
    const LevelLoss part =
        level_loss(precise(judged), level_label(batch.label, static_cast<int>(level)));
    loss.parts.emplace_back(fmt::format("dice{}", level), part.dice);
    loss.parts.emplace_back(fmt::format("cross{}", level), part.cross);
    if (!counts) continue;
    const at::Tensor share = kWeights[level] * (part.dice + part.cross);
    total = total.defined() ? total + share : share;
  }
  if (options_.kl_weight > 0) {
    const std::int64_t samples = image.size(0);
    at::Tensor sum = at::zeros({}, precise(logits[0]).options());
    for (std::int64_t n = 0; n < samples; ++n) {
      std::vector<at::Tensor> own;
      for (const at::Tensor& each : branches.own) {
        own.push_back(each.defined() ? each.narrow(0, n, 1) : each);
      }
      const at::Tensor part =
          stand_in_divergence(own, present[static_cast<std::size_t>(n)], network_->slots());
      if (part.defined()) sum = sum + part;
    }
    const std::int64_t whole = batch.whole > 0 ? batch.whole : samples;
    const at::Tensor kl = sum * (0.5 * static_cast<double>(whole) / static_cast<double>(samples));
    loss.parts.emplace_back("kl", kl);
    total = total + options_.kl_weight * kl;
  }
  loss.total = total;
  loss.output = logits[0].detach();
  return loss;
}

Features Method::encode(const at::Tensor& image) {
  const auto all = static_cast<SubsetMask>((SubsetMask{1} << order_.size()) - 1);
  return network_->branches(order_.image(image), all).sorted;
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  std::vector<at::Tensor> logits;
  for (const SubsetMask subset : subsets) {
    const std::vector<SubsetMask> present(static_cast<std::size_t>(features[0].size(0)),
                                          in_order({subset})[0]);
    logits.push_back(
        network_->trunk(lend(features, present, network_->slots()), /*coarse=*/false)[0]);
  }
  return at::stack(logits);
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  const std::vector<SubsetMask> present(static_cast<std::size_t>(image.size(0)),
                                        in_order({subset})[0]);
  const Branches branches = network_->branches(order_.image(image), present[0]);
  return network_->trunk(lend(branches.sorted, present, network_->slots()), /*coarse=*/false)[0];
}

}  // namespace lacuna::methods::demoseg
