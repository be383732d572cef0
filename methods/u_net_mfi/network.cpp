#include "methods/u_net_mfi/network.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/types.h>

namespace lacuna::methods::u_net_mfi {
namespace {

using models::BiasedConv;
using models::ConvShape;
using models::UpConv;

constexpr double kSlope = 0.01;

// A child under a published name of several parts, as in an nn.Sequential: "conv", 2.
template <typename Child>
std::shared_ptr<Child> in_sequence(torch::nn::Module& owner, const std::string& sequence, int place,
                                   std::shared_ptr<Child> child) {
  auto children = owner.named_children();
  const auto* there = children.find(sequence);
  const auto list =
      there ? *there : owner.register_module(sequence, std::make_shared<torch::nn::Module>());
  return list->register_module(std::to_string(place), std::move(child));
}

std::shared_ptr<BiasedConv> conv(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                 std::int64_t stride = 1) {
  return std::make_shared<BiasedConv>(ConvShape{.in = in,
                                                .out = out,
                                                .kernel = kernel,
                                                .stride = {stride, stride, stride},
                                                .padding = kernel / 2});
}

}  // namespace

std::int64_t level_channels(std::size_t level, double width) {
  const auto groups = std::max<std::int64_t>(1, std::llround(32 * width / kNormChannels));
  return groups * kNormChannels << level;
}

struct ResidualBlock::Norm : torch::nn::Module {
  explicit Norm(std::int64_t channels) : groups(channels / kNormChannels) {
    weight = register_parameter("weight", torch::ones({channels}));
    bias = register_parameter("bias", torch::zeros({channels}));
  }
  at::Tensor activate(const at::Tensor& x) const {
    // In place: the norm's backward pass needs its input only.
    return at::group_norm(x, groups, weight, bias, /*eps=*/1e-5).relu_();
  }
  std::int64_t groups;
  at::Tensor weight, bias;
};

ResidualBlock::ResidualBlock(std::int64_t channels) {
  norm1_ = in_sequence(*this, "conv", 0, std::make_shared<Norm>(channels));
  conv1_ = in_sequence(*this, "conv", 2, conv(channels, channels, 3));
  norm2_ = in_sequence(*this, "conv", 3, std::make_shared<Norm>(channels));
  conv2_ = in_sequence(*this, "conv", 5, conv(channels, channels, 3));
}

at::Tensor ResidualBlock::forward(const at::Tensor& x) const {
  return conv2_->forward(norm2_->activate(conv1_->forward(norm1_->activate(x)))).add_(x);
}

Interaction::Interaction(std::int64_t channels) {
  first_ = in_sequence(*this, "Relation1", 0,
                       std::make_shared<models::Linear>(4 * channels, 2 * channels));
  second_ =
      in_sequence(*this, "Relation1", 2, std::make_shared<models::Linear>(2 * channels, channels));
}

std::vector<at::Tensor> Interaction::forward(const std::vector<at::Tensor>& features,
                                             const at::Tensor& there) const {
  const auto modalities = static_cast<std::int64_t>(features.size());
  std::vector<at::Tensor> each;
  for (const at::Tensor& f : features) each.push_back(f.mean({2, 3, 4}));
  const at::Tensor means = at::stack(each, 1);  // N x M x c
  const std::int64_t samples = means.size(0), channels = means.size(2);
  const auto pairs = [&](const at::Tensor& of, std::int64_t wide) {
    return of.expand({samples, modalities, modalities, wide});
  };
  // [sample, target i, source j]
  const at::Tensor code = there.to(means.scalar_type()).view({samples, 1, modalities, 1});
  const at::Tensor h = at::cat({pairs(means.unsqueeze(1), channels),
                                pairs(means.unsqueeze(2), channels), pairs(code, 2 * channels)},
                               3);
  const at::Tensor u = second_->forward(at::leaky_relu(first_->forward(h), kSlope));
  const at::Tensor w = u.softmax(2).to(features.front().scalar_type());
  std::vector<at::Tensor> result;
  for (std::int64_t i = 0; i < modalities; ++i) {
    at::Tensor sum = features[static_cast<std::size_t>(i)];
    for (std::int64_t j = 0; j < modalities; ++j) {
      const at::Tensor weight = w.select(1, i).select(1, j).view({samples, channels, 1, 1, 1});
      sum = at::addcmul(sum, weight, features[static_cast<std::size_t>(j)]);
    }
    result.push_back(sum);
  }
  return result;
}

at::Tensor Outputs::mean() const {
  at::Tensor sum = combined;
  for (const at::Tensor& branch : branches) sum = sum + branch;
  return sum / static_cast<double>(branches.size() + 1);
}

at::Tensor Network::Up::forward(const at::Tensor& x, const at::Tensor& skip) const {
  return enlarge->forward(reduce->forward(x)).add_(skip);
}

Network::Network(std::size_t modalities, double width) : branches_(modalities) {
  std::array<std::int64_t, kLevels> c{};
  for (std::size_t level = 0; level < kLevels; ++level) c[level] = level_channels(level, width);
  for (const std::size_t level : {1, 2, 3, 2, 1}) {
    interactions_.push_back(register_module(fmt::format("diff{}", interactions_.size() + 1),
                                            std::make_shared<Interaction>(c[level])));
  }
  for (std::size_t m = 0; m < modalities; ++m) {
    Branch& branch = branches_[m];
    const auto name = [m](const char* what, std::size_t number) {
      return fmt::format("{}{}_{}", what, number, m + 1);
    };
    branch.first = register_module(fmt::format("init_conv_{}", m + 1), conv(1, c[0], 3));
    for (std::size_t level = 0; level < kLevels; ++level) {
      branch.encode[level] =
          register_module(name("en", level + 1), std::make_shared<ResidualBlock>(c[level]));
      if (level + 1 == kLevels) break;
      const auto down =
          register_module(name("ed", level + 1), std::make_shared<torch::nn::Module>());
      branch.down[level] = in_sequence(*down, "conv", 0, conv(c[level], c[level + 1], 3, 2));
    }
  }
  for (std::size_t m = 0; m < modalities; ++m) {
    Branch& branch = branches_[m];
    for (std::size_t k = 0; k + 1 < kLevels; ++k) {
      const std::size_t from = kLevels - 1 - k;
      const auto up = register_module(fmt::format("ud{}_{}", k + 1, m + 1),
                                      std::make_shared<torch::nn::Module>());
      branch.up[k] = {in_sequence(*up, "conv", 0, conv(c[from], c[from], 1)),
                      in_sequence(*up, "conv", 1, std::make_shared<UpConv>(c[from], c[from - 1]))};
      branch.decode[k] = register_module(fmt::format("un{}_{}", k + 1, m + 1),
                                         std::make_shared<ResidualBlock>(c[from - 1]));
    }
  }
  for (std::size_t m = 0; m < modalities; ++m) {
    branches_[m].out = register_module(fmt::format("out_conv{}", m + 1), conv(c[0], kRegions, 1));
  }
  const auto head = [&](const char* called, std::int64_t in, std::int64_t kernel) {
    const auto list = register_module(called, std::make_shared<torch::nn::Module>());
    return list->register_module("0", conv(in, kRegions, kernel));
  };
  combined_ = head("cat_out_conv", static_cast<std::int64_t>(modalities) * kRegions, 1);
  quarter_ = head("stage1Out", c[2], 3);
  half_ = head("stage2Out", c[1], 3);
}

Early Network::early(const at::Tensor& image, std::size_t m) const {
  const Branch& branch = branches_[m];
  Early made;
  made.skip = branch.encode[0]->forward(branch.first->forward(image));
  made.features = branch.down[0]->forward(made.skip);
  return made;
}

Outputs Network::forward(const std::vector<Early>& early, const at::Tensor& there, bool deep,
                         std::vector<std::vector<at::Tensor>>* interacted) const {
  const std::size_t modalities = branches_.size();
  std::array<std::vector<at::Tensor>, kLevels> skips;
  std::vector<at::Tensor> x;
  for (const Early& each : early) {
    skips[0].push_back(each.skip);
    x.push_back(each.features);
  }
  const auto interact = [&](std::size_t which) {
    x = interactions_[which]->forward(x, there);
    if (interacted) interacted->push_back(x);
  };
  interact(0);
  for (std::size_t level = 1; level < kLevels; ++level) {
    for (std::size_t m = 0; m < modalities; ++m) {
      x[m] = branches_[m].encode[level]->forward(x[m]);
      skips[level].push_back(x[m]);
      if (level + 1 < kLevels) x[m] = branches_[m].down[level]->forward(x[m]);
    }
    if (level + 1 < kLevels) interact(level);
  }
  Outputs out;
  const auto enlarged = [](const at::Tensor& logits, std::int64_t times) {
    const auto s = logits.sizes();
    return at::upsample_nearest3d(logits, {times * s[2], times * s[3], times * s[4]});
  };
  for (std::size_t k = 0; k + 1 < kLevels; ++k) {
    for (std::size_t m = 0; m < modalities; ++m) {
      const Branch& branch = branches_[m];
      x[m] = branch.up[k].forward(x[m], skips[kLevels - 2 - k][m]);
      // Deep supervision looks at what the block is given, not at what it makes.
      if (deep && k == 0) out.quarter.push_back(enlarged(quarter_->forward(x[m]), 4));
      if (deep && k == 1) out.half.push_back(enlarged(half_->forward(x[m]), 2));
      x[m] = branch.decode[k]->forward(x[m]);
    }
    if (k + 2 < kLevels) interact(kLevels - 1 + k);
  }
  for (std::size_t m = 0; m < modalities; ++m) {
    out.branches.push_back(branches_[m].out->forward(x[m]));
  }
  out.combined = combined_->forward(at::cat(out.branches, 1));
  return out;
}

}  // namespace lacuna::methods::u_net_mfi
