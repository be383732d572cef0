#include "methods/ra_hved/network.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include "kernels/conv3d.h"
#include "kernels/instance_norm.h"
#include "models/width.h"

namespace lacuna::methods::ra_hved {
namespace {

using models::BiasedConv;
using models::ConvUnit;
using torch::nn::Module;

constexpr double kEpsilon = 1e-5, kSlope = 0.01, kJudgeSlope = 0.2;

std::shared_ptr<Module> child(Module& parent, const std::string& name) {
  return parent.register_module(name, std::make_shared<Module>());
}

std::shared_ptr<ConvUnit> unit(std::int64_t in, std::int64_t out, std::int64_t stride = 1) {
  const models::UnitStyle style{
      .norm_first = true, .border = models::Border::kZeros, .slope = kSlope, .epsilon = kEpsilon};
  return std::make_shared<ConvUnit>(in, out, 3, style, stride);
}

at::Tensor normalised(const at::Tensor& x, double slope) {
  return kernels::instance_norm_act(x, {}, {}, kEpsilon, slope);
}

at::Tensor resized(const at::Tensor& x, at::IntArrayRef extent) {
  if (x.sizes().slice(2) == extent) return x;
  return at::upsample_trilinear3d(x, extent, /*align_corners=*/false);
}

at::Tensor doubled(const at::Tensor& x) {
  return resized(x, std::array<std::int64_t, 3>{2 * x.size(2), 2 * x.size(3), 2 * x.size(4)});
}

// Whole channels, as torch's dropout3d.
at::Tensor channels_dropped(const at::Tensor& x, double p, const models::ForwardMode& mode) {
  if (mode.dropout == nullptr || p <= 0) return x;
  return x * mode.dropout->apply(at::ones({x.size(0), x.size(1), 1, 1, 1}, x.options()), p);
}

}  // namespace

Pair::Pair(std::int64_t in, std::int64_t between, std::int64_t out)
    : first_(register_module("SingleConv1", unit(in, between))),
      second_(register_module("SingleConv2", unit(between, out))) {}

at::Tensor channel_pool(const at::Tensor& x) {
  return at::cat({std::get<0>(x.max(1, /*keepdim=*/true)), x.mean(1, /*keepdim=*/true)}, 1);
}

AttentiveSkip::AttentiveSkip() : skip_(gate("enc_spatial", 16)), decoder_(gate("seg_spatial", 8)) {}

AttentiveSkip::Gate AttentiveSkip::gate(const std::string& name, std::int64_t wide) {
  const auto first = child(*this, name), second = child(*this, name + "2");
  Gate made;
  made.weight = first->register_parameter("weight", torch::zeros({wide, 1, 7, 7, 7}));  // a group
  made.bias = first->register_parameter("bias", torch::zeros({wide}));  // per pooled map
  made.weight2 = second->register_parameter("weight", torch::zeros({1, wide, 1, 1, 1}));
  made.bias2 = second->register_parameter("bias", torch::zeros({1}));
  return made;
}

at::Tensor AttentiveSkip::Gate::operator()(const at::Tensor& pooled) const {
  const at::Tensor wide = at::conv3d(pooled, weight, bias, /*stride=*/1, /*padding=*/3,
                                     /*dilation=*/1, /*groups=*/pooled.size(1));
  return kernels::conv3d(wide, weight2, bias2).sigmoid();
}

std::pair<at::Tensor, at::Tensor> AttentiveSkip::forward(const at::Tensor& decoder,
                                                         const at::Tensor& skip) const {
  const at::Tensor pooled = channel_pool(decoder);
  const at::Tensor on_skip = skip_(at::cat({pooled, channel_pool(skip)}, 1));
  return {decoder * (1 + decoder_(pooled)), skip * (1 + on_skip)};
}

// In the published order of the parameters.
Network::Network(std::int64_t modalities, double width) {
  std::array<std::int64_t, kLevels> channels{}, latent{};
  for (std::size_t l = 0; l < kLevels; ++l) {
    channels[l] = models::scaled(std::int64_t{16} << l, width);
    latent[l] = std::max<std::int64_t>(1, channels[l] / 4);
  }
  const auto each = [modalities](const auto& make) {
    for (std::int64_t m = 0; m < modalities; ++m) make(std::to_string(m));
  };
  const auto pair_in = [](Module& parent, std::int64_t in, std::int64_t between, std::int64_t out) {
    return parent.register_module("basic_module", std::make_shared<Pair>(in, between, out));
  };
  const auto kernel = [](Module& parent, at::IntArrayRef shape) {
    return child(parent, "conv")->register_parameter("weight", torch::zeros(shape));
  };

  const auto reductions = child(*this, "DRBs");
  for (std::size_t l = 0; l < kLevels; ++l) {
    const auto level = child(*reductions, std::to_string(l));
    each([&](const std::string& m) {
      reductions_[l].push_back(
          child(*level, m)->register_module("0", unit(channels[l], 2 * latent[l], 2)));
    });
  }
  const auto widened = child(*this, "VU_blocks");
  for (std::size_t l = 0; l < kLevels; ++l) {
    const auto level = child(*child(*widened, std::to_string(l)), "0");
    widened_[l] = kernel(*level, {channels[l], latent[l], 1, 1, 1});
  }
  const auto first = child(*this, "init_blocks");
  each([&](const std::string& m) {
    first_.push_back(child(*first, m)->register_module("0", models::plain_conv(1, channels[0])));
  });
  const auto encoders = child(*this, "encoders");
  for (std::size_t l = 0; l < kLevels; ++l) {
    const auto level = child(*encoders, std::to_string(l));
    const std::int64_t in = channels[l == 0 ? 0 : l - 1];
    each([&](const std::string& m) {
      const auto sequence = child(*child(*level, m), "basic_module");
      encoders_[l].push_back(
          sequence->register_module("0", std::make_shared<Pair>(in, in, channels[l])));
    });
  }
  const auto convs = child(*this, "conv_blocks");
  for (std::size_t l = 0; l < kLevels; ++l) {
    convs_[l] = kernel(*child(*convs, std::to_string(l)), {channels[l], 1, 3, 3, 3});
  }
  const auto decoders = child(*this, "decoders");
  for (std::size_t i = 0; i < kLevels - 1; ++i) {
    const std::size_t l = kLevels - 2 - i;
    const auto level = child(*decoders, std::to_string(i));
    attention_[i] = level->register_module("atten_module", std::make_shared<AttentiveSkip>());
    segmentation_[i] = pair_in(*level, channels[l + 1] + channels[l], channels[l], channels[l]);
  }
  last_ = register_module("final_conv", models::plain_conv(channels[0], kRegions));
  const auto rebuilding = child(*this, "rdecoder");
  const auto finals = child(*rebuilding, "finals"), several = child(*rebuilding, "multi_decoders");
  each([&](const std::string& m) {
    last_images_.push_back(finals->register_module(m, models::plain_conv(channels[0], 1)));
  });
  each([&](const std::string& m) {
    const auto own = child(*several, m);
    Decoder decoder;
    for (std::size_t i = 0; i < kLevels - 1; ++i) {
      const std::size_t l = kLevels - 2 - i;
      decoder[i] = pair_in(*child(*own, std::to_string(i)), channels[l + 1] + channels[l],
                           channels[l], channels[l]);
    }
    images_.push_back(decoder);
  });
}

std::array<std::vector<at::Tensor>, kLevels> Network::encode(
    const at::Tensor& image, double dropout, const models::ForwardMode& mode) const {
  std::array<std::vector<at::Tensor>, kLevels> raw;
  for (std::size_t m = 0; m < first_.size(); ++m) {
    const at::Tensor own = image.narrow(1, static_cast<std::int64_t>(m), 1);
    at::Tensor x = channels_dropped(first_[m]->forward(own), dropout, mode);
    for (std::size_t l = 0; l < kLevels; ++l) {
      x = encoders_[l][m]->forward(l == 0 ? x : at::max_pool3d(x, 2));
      raw[l].push_back(reductions_[l][m]->forward(x));
    }
  }
  return raw;
}

Levels Network::expand(const Levels& latents) const {
  Levels features;
  for (std::size_t l = 0; l < kLevels; ++l) {
    const at::Tensor wide = normalised(kernels::conv3d(latents[l], widened_[l]), kSlope);
    const at::Tensor conv = at::conv3d(doubled(wide), convs_[l], {}, /*stride=*/1, /*padding=*/1,
                                       /*dilation=*/1, /*groups=*/convs_[l].size(0));
    features[l] = normalised(conv, kSlope);
  }
  return features;
}

at::Tensor Network::segment(const Levels& features) const {
  at::Tensor x = features.back();
  for (std::size_t i = 0; i < kLevels - 1; ++i) {
    const at::Tensor& skip = features[kLevels - 2 - i];
    const auto [own, gated] = attention_[i]->forward(resized(x, skip.sizes().slice(2)), skip);
    x = segmentation_[i]->forward(at::cat({own, gated}, 1));
  }
  return last_->forward(x);
}

// The skip comes first here, unlike above.
at::Tensor Network::rebuild(const Levels& features) const {
  std::vector<at::Tensor> images;
  for (std::size_t m = 0; m < images_.size(); ++m) {
    at::Tensor x = features.back();
    for (std::size_t i = 0; i < kLevels - 1; ++i) {
      const at::Tensor& skip = features[kLevels - 2 - i];
      x = images_[m][i]->forward(at::cat({skip, resized(x, skip.sizes().slice(2))}, 1));
    }
    images.push_back(last_images_[m]->forward(x));
  }
  return at::cat(images, 1);
}

Discriminator::Discriminator(std::int64_t in, double width) {
  const auto blocks = child(*this, "disc");
  for (std::size_t i = 0; i < 4; ++i) {
    const std::int64_t out = models::scaled(std::int64_t{64} << i, width), stride = i == 0 ? 1 : 2;
    const models::ConvShape shape{
        .in = in, .out = out, .kernel = 4, .stride = {stride, stride, stride}, .padding = 1};
    convs_.push_back(child(*blocks, std::to_string(i))
                         ->register_module("0", std::make_shared<BiasedConv>(shape)));
    in = out;
  }
  last_ = child(*this, "last")->register_parameter("weight", torch::zeros({1, in, 4, 4, 4}));
}

at::Tensor Discriminator::forward(const at::Tensor& x) const {
  at::Tensor y = at::leaky_relu(convs_[0]->forward(x), kJudgeSlope);
  for (std::size_t i = 1; i < convs_.size(); ++i) {
    y = normalised(convs_[i]->forward(y), kJudgeSlope);
  }
  return kernels::conv3d(y, last_, {}, 1, 1);
}

}  // namespace lacuna::methods::ra_hved
