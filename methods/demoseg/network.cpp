#include "methods/demoseg/network.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "kernels/conv3d.h"
#include "kernels/instance_norm.h"
#include "losses/precise.h"
#include "models/initialisation.h"
#include "models/modality_names.h"

namespace lacuna::methods::demoseg {
namespace {

using losses::precise;
using models::kLeakySlope;

constexpr std::array<std::int64_t, 6> kWidths{1, 2, 4, 8, 10, 10};  // in base channels
constexpr double kEpsilon = 1e-5;

std::shared_ptr<models::BiasedConv> conv(std::int64_t in, std::int64_t out, std::int64_t stride) {
  return std::make_shared<models::BiasedConv>(models::ConvShape{
      .in = in, .out = out, .kernel = 3, .stride = {stride, stride, stride}, .padding = 1});
}

// FLAIR is T2-FLAIR there.
std::string branch_name(const std::string& modality) {
  return modality == "FLAIR" ? "t2flare" : models::published_modality_name(modality);
}

}  // namespace

ConvBlock::ConvBlock(std::int64_t in, std::int64_t out, std::int64_t stride) {
  conv_ = register_module("conv", conv(in, out, stride));
  norm_ = register_module("instnorm", std::make_shared<models::InstanceNorm>(out));
}

at::Tensor ConvBlock::forward(const at::Tensor& x) const {
  return norm_->forward(conv_->forward(x));
}

SortBlock::Affine::Affine(std::int64_t in, std::int64_t out) {
  weight = register_parameter("weight", torch::zeros({out, in}));
  bias = register_parameter("bias", torch::zeros({out}));
}

SortBlock::SortBlock(std::int64_t channels, Sorting sorting) : sorting_(sorting) {
  const auto inner = register_module("conv", std::make_shared<torch::nn::Module>());
  conv_ = inner->register_module("inconv", conv(channels, channels, 1));
  const auto gate = inner->register_module("ch_order", std::make_shared<torch::nn::Module>());
  squeeze_ = gate->register_module("0", std::make_shared<Affine>(channels, channels / 4));
  excite_ = gate->register_module("2", std::make_shared<Affine>(channels / 4, channels));
  norm_ = register_module("instnorm", std::make_shared<models::InstanceNorm>(channels));
}

at::Tensor channel_order(const at::Tensor& gate, Sorting sorting) {
  return at::argsort(gate, /*stable=*/true, /*dim=*/1, sorting == Sorting::kDescending);
}

at::Tensor add_in_order(const at::Tensor& u, const at::Tensor& order) {
  const std::int64_t samples = u.size(0), channels = u.size(1);
  const at::Tensor first =
      at::arange(samples, at::dtype(at::kLong).device(u.device())).mul(channels).unsqueeze(1);
  return u + u.flatten(0, 1).index_select(0, (order + first).flatten()).view(u.sizes());
}

at::Tensor SortBlock::forward(const at::Tensor& x, at::Tensor* taken) const {
  const at::Tensor u = kernels::instance_norm_act(conv_->forward(x), {}, {}, kEpsilon, kLeakySlope);
  if (sorting_ == Sorting::kOff) return norm_->forward(2 * u);
  at::Tensor order;
  {
    // No gradient reaches the gate, whose weights therefore stay as they are; in float, since
    // eight bits would make equals.
    const torch::NoGradGuard no_grad;
    const losses::PreciseProducts no_autocast(u);
    const at::Tensor mean = precise(u).mean({2, 3, 4});
    const at::Tensor hidden = at::leaky_relu(
        at::linear(mean, precise(squeeze_->weight), precise(squeeze_->bias)), kLeakySlope);
    const at::Tensor gate =
        at::linear(hidden, precise(excite_->weight), precise(excite_->bias)).sigmoid();
    order = channel_order(gate, sorting_);
  }
  if (taken != nullptr) *taken = order;
  return norm_->forward(add_in_order(u, order));
}

std::vector<Loan> loans(data::SubsetMask present, int slots) {
  std::vector<Loan> result;
  for (int j = 0; j < slots; ++j) {
    for (int r = 0; r < slots; ++r) {
      if (!data::contains(present, j ^ r)) continue;
      result.push_back({j ^ r, r});
      break;
    }
  }
  return result;
}

at::Tensor lend(const std::vector<at::Tensor>& branches,
                const std::vector<data::SubsetMask>& present, int slots) {
  const auto quarter_of = [&](const Loan& loan, std::int64_t sample, std::int64_t number) {
    const at::Tensor& branch = branches[static_cast<std::size_t>(loan.lender)];
    const std::int64_t channels = branch.size(1) / slots;
    return branch.narrow(0, sample, number).narrow(1, loan.quarter * channels, channels);
  };
  const auto rows = [&](std::int64_t first, std::int64_t number) {
    std::vector<at::Tensor> parts;
    for (const Loan& loan : loans(present[static_cast<std::size_t>(first)], slots)) {
      parts.push_back(quarter_of(loan, first, number));
    }
    return at::cat(parts, 1);
  };
  const auto samples = static_cast<std::int64_t>(present.size());
  const bool alike = std::all_of(present.begin(), present.end(),
                                 [&](data::SubsetMask each) { return each == present.front(); });
  if (alike) return rows(0, samples);
  std::vector<at::Tensor> each;
  for (std::int64_t n = 0; n < samples; ++n) each.push_back(rows(n, 1));
  return at::cat(each);
}

Network::Stage Network::stage(torch::nn::Module& list, std::size_t place, std::int64_t in,
                              std::int64_t out, std::int64_t stride, Sorting sorting) {
  const auto sequence =
      list.register_module(std::to_string(place), std::make_shared<torch::nn::Module>());
  return {sequence->register_module("0", std::make_shared<ConvBlock>(in, out, stride)),
          sequence->register_module("1", std::make_shared<SortBlock>(out, sorting))};
}

Network::Network(const Shape& shape) {
  slots_ = static_cast<int>(std::bit_ceil(shape.modalities.size()));
  const std::int64_t unit = std::max<std::int64_t>(8, slots_);
  const std::int64_t base =
      unit * std::max<std::int64_t>(1, std::llround(32 * shape.width / static_cast<double>(unit)));
  const auto sorting = [&](bool ascending) {
    if (!shape.sort) return Sorting::kOff;
    return ascending ? Sorting::kAscending : Sorting::kDescending;
  };
  const auto list = [&](const char* name) {
    return register_module(name, std::make_shared<torch::nn::Module>());
  };
  const auto localization = list("conv_blocks_localization");
  const auto context = list("conv_blocks_context");
  const auto ups = list("tu"), heads = list("seg_outputs");
  const auto weight = [](torch::nn::Module& parent, std::size_t place,
                         std::vector<std::int64_t> sizes) {
    return parent.register_module(std::to_string(place), std::make_shared<torch::nn::Module>())
        ->register_parameter("weight", torch::zeros(sizes));
  };
  for (std::size_t i = 0; i < 5; ++i) {
    const std::int64_t c = base * kWidths[4 - i], below = base * kWidths[5 - i];
    merge_.push_back(stage(*localization, i, 2 * c, c, 1, sorting(true)));
    up_.push_back(weight(*ups, i, {below, c, 2, 2, 2}));
    head_.push_back(weight(*heads, i, {shape.classes, c, 1, 1, 1}));
  }
  const auto first = context->register_module("0", std::make_shared<torch::nn::Module>());
  for (const std::string& modality : shape.modalities) {
    const std::string name = branch_name(modality);
    // Published: ascending for T1, descending for the others.
    branches_.push_back(
        {first->register_module(name + "_conv", std::make_shared<ConvBlock>(1, base)),
         first->register_module(name + "_csa",
                                std::make_shared<SortBlock>(base, sorting(modality == "T1")))});
  }
  for (std::size_t i = 1; i < kWidths.size(); ++i) {
    down_.push_back(stage(*context, i, base * kWidths[i - 1], base * kWidths[i], 2, sorting(true)));
  }
}

Branches Network::branches(const at::Tensor& image, data::SubsetMask any) const {
  Branches out;
  out.own.resize(branches_.size());
  out.sorted.resize(branches_.size());
  for (std::size_t m = 0; m < branches_.size(); ++m) {
    // The weights of a branch that no sample needs have no gradient, as published.
    if (!data::contains(any, static_cast<int>(m))) continue;
    out.own[m] = branches_[m].conv->forward(image.narrow(1, static_cast<std::int64_t>(m), 1));
    out.sorted[m] = branches_[m].sort->forward(out.own[m]);
  }
  return out;
}

std::vector<at::Tensor> Network::trunk(const at::Tensor& slots, bool coarse) const {
  std::vector<at::Tensor> logits, skips;
  at::Tensor x = slots;
  for (const Stage& each : down_) {
    skips.push_back(x);
    x = each.forward(x);
  }
  for (std::size_t i = 0; i < merge_.size(); ++i) {
    const at::Tensor up = at::conv_transpose3d(x, up_[i], {}, /*stride=*/2);
    x = merge_[i].forward(at::cat({up, skips.back()}, 1));
    skips.pop_back();
    if (coarse || i + 1 == merge_.size()) {
      logits.insert(logits.begin(), kernels::conv3d(x, head_[i]));
    }
  }
  return logits;
}

void Network::initialise() {
  models::initialise_fan_in(*this);  // the gates
  const torch::NoGradGuard no_grad;
  const double slope = kLeakySlope;
  for (auto& item : named_parameters()) {
    at::Tensor& parameter = item.value();
    if (parameter.dim() == 5) {
      const auto fan_in = static_cast<double>(parameter[0].numel());
      parameter.normal_(0, std::sqrt(2 / ((1 + slope * slope) * fan_in)));
    } else if (parameter.dim() == 1 && item.key().ends_with("conv.bias")) {
      parameter.zero_();
    }
  }
}

}  // namespace lacuna::methods::demoseg
