#include "models/myronenko_unet.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <ATen/ATen.h>
#include <torch/types.h>

#include "models/initialisation.h"

namespace lacuna::models {

std::int64_t MyronenkoUnet::base_channels(double width) {
  return kNormGroups * std::max<std::int64_t>(1, std::llround(16 * width / kNormGroups));
}

MyronenkoUnet::MyronenkoUnet(const MyronenkoShape& shape)
    : dropout_(shape.dropout), base_(base_channels(shape.width)) {
  const auto block = [&](const std::string& name, std::int64_t channels) {
    return register_module(name, std::make_shared<PreActivationBlock>(channels));
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
  up_[2] = {conv("up4conva", 8 * b, 4 * b), block("up4convb", 4 * b)};
  up_[1] = {conv("up3conva", 4 * b, 2 * b), block("up3convb", 2 * b)};
  up_[0] = {conv("up2conva", 2 * b, b), block("up2convb", b)};
  if (shape.style) {
    style_ = conv("convc", 20 * b, 8 * b);
    merge_ = conv("convco", 16 * b, 8 * b);
  }
  last_ = conv("up1conv", b, shape.out);
  if (!shape.deep) return;
  const auto heads = register_module("ds_out", std::make_shared<torch::nn::Module>());
  for (const std::int64_t channels : {4 * b, 2 * b}) {
    deep_.push_back(heads->register_module(
        std::to_string(deep_.size()),
        std::make_shared<BiasedConv>(ConvShape{.in = channels, .out = shape.out, .kernel = 1})));
  }
}

std::shared_ptr<BiasedConv> MyronenkoUnet::conv(const char* name, std::int64_t in, std::int64_t out,
                                                std::int64_t kernel, std::int64_t stride) {
  return register_module(name,
                         std::make_shared<BiasedConv>(ConvShape{.in = in,
                                                                .out = out,
                                                                .kernel = kernel,
                                                                .stride = {stride, stride, stride},
                                                                .padding = kernel / 2}));
}

MyronenkoOutput MyronenkoUnet::forward(const at::Tensor& image, const ForwardMode& mode,
                                       at::Tensor* dropped_content, bool deep) const {
  MyronenkoOutput out;
  std::array<at::Tensor, 3> skips;  // c1, c2, c3
  at::Tensor x = first_->forward(image), c2d;
  for (std::size_t level = 0; level < 3; ++level) {
    if (level == 2) c2d = x;
    for (const Block& block : blocks_[level]) x = block->forward(x);
    skips[level] = x;
    x = down_[level]->forward(x);
  }
  const at::Tensor c3d = x;
  for (const Block& block : blocks_[3]) x = block->forward(x);
  out.content = x;
  if (style_) {
    out.style = style_->forward(at::cat({at::max_pool3d(c2d, 2), c3d, out.content}, 1));
    x = merge_->forward(at::cat({out.style, out.content}, 1));
  }
  x = dropped(x, dropout_, mode);
  if (dropped_content) *dropped_content = x;
  for (std::size_t level = 3; level-- > 0;) {
    const at::Tensor small = up_[level].reduce->forward(x);
    x = at::upsample_nearest3d(small, {2 * small.size(2), 2 * small.size(3), 2 * small.size(4)});
    x.add_(skips[level]);
    skips[level].reset();
    x = up_[level].refine->forward(x);
    if (deep && level > 0) out.deep.push_back(deep_.at(2 - level)->forward(x));
  }
  out.logit = last_->forward(x);
  return out;
}

void MyronenkoUnet::initialise() { initialise_fan_in(*this); }

}  // namespace lacuna::models
