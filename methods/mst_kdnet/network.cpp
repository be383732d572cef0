#include "methods/mst_kdnet/network.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "models/initialisation.h"

namespace lacuna::methods::mst_kdnet {
namespace {

// 16 at width 1; group norm wants whole groups.
std::int64_t base_channels(double width) {
  return models::kNormGroups *
         std::max<std::int64_t>(1, std::llround(16 * width / models::kNormGroups));
}

at::Tensor doubled(const at::Tensor& x) {
  return at::upsample_nearest3d(x, {2 * x.size(2), 2 * x.size(3), 2 * x.size(4)});
}

}  // namespace

Network::Network(const Shape& shape) : shape_(shape), base_(base_channels(shape.width)) {
  const auto block = [&](const std::string& name, std::int64_t channels) {
    return register_module(name, std::make_shared<models::PreActivationBlock>(channels));
  };
  const std::int64_t b = base_;
  first_ = conv("conv1a", shape.in, b, 3);
  blocks_[0] = {block("conv1b", b)};
  down_[0] = conv("ds1", b, 2 * b, 3, 2);
  blocks_[1] = {block("conv2a", 2 * b), block("conv2b", 2 * b)};
  down_[1] = conv("ds2", 2 * b, 4 * b, 3, 2);
  blocks_[2] = {block("conv3a", 4 * b), block("conv3b", 4 * b)};
  down_[2] = conv("ds3", 4 * b, 8 * b, 3, 2);
  for (const char* name : {"conv4a", "conv4b", "conv4c", "conv4d"}) {
    blocks_[3].push_back(block(name, 8 * b));
  }
  UnetrShape unetr{.channels = 8 * b, .width = shape.width};
  for (std::size_t i = 0; i < 3; ++i) unetr.extent[i] = shape.extent[i] / 8;
  unetr_ = register_module("Unetr", std::make_shared<Unetr>(unetr));
  up_[2] = {conv("up4conva", 8 * b, 4 * b), block("up4convb", 4 * b)};
  up_[1] = {conv("up3conva", 4 * b, 2 * b), block("up3convb", 2 * b)};
  up_[0] = {conv("up2conva", 2 * b, b), block("up2convb", b)};
  style_ = conv("convc", 20 * b, 8 * b);
  merge_ = conv("convco", 16 * b, 8 * b);
  last_ = conv("up1conv", b, shape.out);
}

std::shared_ptr<models::BiasedConv> Network::conv(const char* name, std::int64_t in,
                                                  std::int64_t out, std::int64_t kernel,
                                                  std::int64_t stride) {
  return register_module(name, std::make_shared<models::BiasedConv>(
                                   models::ConvShape{.in = in,
                                                     .out = out,
                                                     .kernel = kernel,
                                                     .stride = {stride, stride, stride},
                                                     .padding = kernel / 2}));
}

Output Network::forward(const at::Tensor& image, const models::ForwardMode& mode) const {
  if (image.sizes().slice(2) != at::IntArrayRef(shape_.extent)) {
    throw_error<ConfigError>(
        "the input is {} voxels, but this network is made for {}: its position embeddings fix the "
        "size. Set data.patch to the size that you want.",
        fmt::join(image.sizes().slice(2).vec(), "x"), fmt::join(shape_.extent, "x"));
  }
  Output out;
  std::array<at::Tensor, 3> skips;  // c1, c2, c3
  at::Tensor x = first_->forward(image), c2d;
  for (std::size_t level = 0; level < 3; ++level) {
    if (level == 2) c2d = x;
    for (const auto& block : blocks_[level]) x = block->forward(x);
    skips[level] = x;
    x = down_[level]->forward(x);
  }
  out.c3d = x;
  const UnetrOutput unetr = unetr_->forward(out.c3d, mode);
  out.features = unetr.features;
  out.attention = unetr.attention;
  out.bottleneck = unetr.out + out.c3d;
  x = out.bottleneck;
  for (const auto& block : blocks_[3]) x = block->forward(x);
  out.content = x;
  out.c2d_pooled = at::max_pool3d(c2d, 2);
  out.style = style_->forward(at::cat({out.c2d_pooled, out.c3d, out.bottleneck}, 1));
  out.merged = merge_->forward(at::cat({out.style, out.content}, 1));
  x = models::dropped(out.merged, 0.2, mode);
  for (std::size_t level = 3; level-- > 0;) {
    x = doubled(up_[level].reduce->forward(x)).add_(skips[level]);
    skips[level].reset();
    x = up_[level].refine->forward(x);
  }
  out.logit = last_->forward(x);
  return out;
}

void Network::initialise() { models::initialise_fan_in(*this); }

}  // namespace lacuna::methods::mst_kdnet
