#include "methods/m2ftrans/channel_fusion.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <torch/types.h>

#include "losses/precise.h"
#include "models/conv_unit.h"
#include "models/token_transformer.h"

namespace lacuna::methods::m2ftrans {
namespace {

using models::map_of;
using models::tokens_of;

constexpr double kChannelNormEpsilon = 1e-6;
constexpr int kLayers = 2;
constexpr std::int64_t kExpand = 4;
const std::array<std::string, 3> kMapNames = {"conv1", "conv2", "conv3"};
const std::array<std::string, 3> kForwardNames = {"pwconv1", "dwconv", "pwconv2"};

at::Tensor pointwise(const models::BiasedConv& conv, const at::Tensor& rows) {
  return at::linear(rows, conv.weight.flatten(1), conv.bias);
}

// Card 2.4: F(x) = GELU(x + block(x)).
at::Tensor feed(const ChannelBlock& block, const at::Tensor& rows, at::IntArrayRef extent) {
  return at::gelu(rows + block.forward(rows, extent));
}

}  // namespace

GroupedConv::GroupedConv(std::int64_t channels, std::int64_t groups) : groups_(groups) {
  weight_ = register_parameter("weight", torch::zeros({channels, channels / groups, 3, 3, 3}));
  bias_ = register_parameter("bias", torch::zeros({channels}));
}

at::Tensor GroupedConv::forward(const at::Tensor& x) const {
  const losses::PreciseProducts in_float(x);
  return at::conv3d(losses::precise(x), weight_, bias_, /*stride=*/1, /*padding=*/1,
                    /*dilation=*/1, groups_);
}

ChannelBlock::ChannelBlock(std::int64_t channels, std::int64_t expand,
                           const std::array<std::string, 3>& convolutions) {
  const std::int64_t hidden = expand * channels;
  const auto norm = [&](const char* name, std::int64_t width) {
    return register_module(name, std::make_shared<models::LayerNorm>(width, kChannelNormEpsilon));
  };
  first_ = register_module(convolutions[0], models::plain_conv(channels, hidden));
  norms_[0] = norm("norm1", hidden);
  middle_ = register_module(convolutions[1], std::make_shared<GroupedConv>(hidden, channels));
  norms_[1] = norm("norm2", hidden);
  last_ = register_module(convolutions[2], models::plain_conv(hidden, channels));
  norms_[2] = norm("norm3", channels);
}

at::Tensor ChannelBlock::forward(const at::Tensor& rows, at::IntArrayRef extent) const {
  at::Tensor x = at::gelu(norms_[0]->forward(pointwise(*first_, rows)));
  x = tokens_of(middle_->forward(map_of(x, extent)));
  x = at::gelu(norms_[1]->forward(x));
  return norms_[2]->forward(pointwise(*last_, x));
}

ChannelFusion::ChannelFusion(std::int64_t channels, const std::vector<std::string>& modalities,
                             double dropout)
    : channels_(channels), dropout_(dropout), layers_(kLayers) {
  const auto list = register_module("layers", std::make_shared<torch::nn::Module>());
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    const auto own =
        list->register_module(std::to_string(i), std::make_shared<torch::nn::Module>());
    const auto cross = own->register_module("cross_attn", std::make_shared<torch::nn::Module>());
    const auto map = [&](const std::string& name) {
      return cross->register_module(name, std::make_shared<ChannelBlock>(channels, 1, kMapNames));
    };
    const auto forward = [&](const char* name) {
      return own->register_module(name,
                                  std::make_shared<ChannelBlock>(channels, kExpand, kForwardNames));
    };
    layer.query = map("query_map");
    for (const std::string& name : modalities) {
      layer.key.push_back(map("key_map_" + name));
      layer.value.push_back(map("value_map_" + name));
    }
    layer.out = map("out_project");
    if (i == 0) layer.ffn2 = forward("ffn2");
    layer.ffn1 = forward("ffn1");
  }
}

at::Tensor ChannelFusion::weights(const at::Tensor& query, const at::Tensor& key,
                                  const at::Tensor& forbidden) {
  const double voxels = static_cast<double>(query.size(1));
  at::Tensor scores = at::bmm(query.transpose(1, 2), key) / std::sqrt(voxels);
  if (forbidden.defined()) {
    scores = scores.masked_fill(forbidden, -std::numeric_limits<double>::infinity());
  }
  return scores.softmax(-1);
}

at::Tensor ChannelFusion::forward(const std::vector<at::Tensor>& features, const at::Tensor& query,
                                  const at::Tensor& mask, const models::ForwardMode& mode) const {
  // Sums over voxels of products: in float, whatever the features come in.
  const losses::PreciseProducts in_float(query);
  const at::IntArrayRef extent = query.sizes().slice(2);
  at::Tensor forbidden;
  if (mask.defined()) forbidden = (mask == 0).repeat_interleave(channels_, 1).unsqueeze(1);
  std::vector<at::Tensor> rows;
  for (const at::Tensor& each : features) {
    rows.push_back(each.defined() ? tokens_of(losses::precise(each)) : at::Tensor());
  }
  at::Tensor x = tokens_of(losses::precise(query));
  for (const Layer& layer : layers_) {
    std::vector<at::Tensor> keys, values;
    for (std::size_t m = 0; m < rows.size(); ++m) {
      if (!rows[m].defined()) continue;
      keys.push_back(layer.key[m]->forward(rows[m], extent));
      values.push_back(layer.value[m]->forward(rows[m], extent));
    }
    const at::Tensor seen = weights(layer.query->forward(x, extent), at::cat(keys, 2), forbidden);
    const at::Tensor mixed = at::bmm(at::cat(values, 2), seen.transpose(1, 2));
    x = x + models::dropped(layer.out->forward(mixed, extent), dropout_, mode);
    if (layer.ffn2) {
      for (at::Tensor& each : rows) {
        if (each.defined()) each = feed(*layer.ffn2, each, extent);
      }
    }
    x = feed(*layer.ffn1, x, extent);
  }
  return map_of(x, extent);
}

}  // namespace lacuna::methods::m2ftrans
