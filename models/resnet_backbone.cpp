#include "models/resnet_backbone.h"

#include <string>

#include <ATen/ATen.h>

#include "models/width.h"

namespace lacuna::models {
namespace {

constexpr std::int64_t kStem = 64;
constexpr std::array<std::int64_t, 4> kPlanes{64, 128, 256, 320};
constexpr std::array<int, 4> kBlocks{3, 4, 6, 3};

}  // namespace

std::array<std::int64_t, 5> backbone_channels(double width) {
  std::array<std::int64_t, 5> channels{scaled(kStem, width)};
  for (std::size_t i = 0; i < kPlanes.size(); ++i) channels[i + 1] = 4 * scaled(kPlanes[i], width);
  return channels;
}

ResnetBackbone::ResnetBackbone(std::int64_t in, double width) {
  std::int64_t channels = scaled(kStem, width);
  conv1_ = register_module(
      "conv1", std::make_shared<WeightStandardisedConv>(ConvShape{
                   .in = in, .out = channels, .kernel = 7, .stride = {1, 2, 2}, .padding = 3}));
  norm1_ = register_module("norm1", std::make_shared<InstanceNorm>(channels));
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const std::int64_t planes = scaled(kPlanes[i], width);
    stages_[i] = make_stage("layer" + std::to_string(i + 1), kBlocks[i], channels, planes,
                            /*stride=*/i == 0 ? 1 : 2);
    channels = 4 * planes;
  }
}

ResnetBackbone::Stage ResnetBackbone::make_stage(const std::string& name, int blocks,
                                                 std::int64_t in, std::int64_t planes,
                                                 std::int64_t stride) {
  const auto parent = register_module(name, std::make_shared<torch::nn::Module>());
  Stage stage;
  for (int i = 0; i < blocks; ++i) {
    const bool first = i == 0;
    stage.push_back(parent->register_module(
        std::to_string(i), std::make_shared<Bottleneck>(first ? in : 4 * planes, planes,
                                                        first ? stride : 1, /*project=*/first)));
  }
  return stage;
}

std::array<at::Tensor, 5> ResnetBackbone::forward(const at::Tensor& x) const {
  std::array<at::Tensor, 5> levels;
  levels[0] = norm1_->forward(conv1_->forward(x));
  at::Tensor y = at::max_pool3d(levels[0], /*kernel_size=*/3, /*stride=*/2, /*padding=*/1);
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    for (const auto& block : stages_[i]) y = block->forward(y);
    levels[i + 1] = y;
  }
  return levels;
}

}  // namespace lacuna::models
