// SMML's refinement of a segmentation by masks that a promptable model proposed (training only):
//   (masks of each modality and class, weighted; main logits) -> U-Net -> refined logits.
// Weights are 0 until initialise_kaiming(); transposed convolutions follow PyTorch's default. Not
// thread-safe.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "models/batch_norm.h"
#include "models/biased_conv.h"

namespace lacuna::methods::smml {

// A convolution of 3^3 without bias, batch norm of each sample's own statistics, ReLU. Children: 0,
// 1.
class ConvBatchNorm : public torch::nn::Module {
 public:
  ConvBatchNorm(std::int64_t in, std::int64_t out, std::int64_t stride);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  std::int64_t stride_;
  at::Tensor weight_;
  std::shared_ptr<models::BatchNorm> norm_;
};

// Four levels with one unit each. Children: encoder{1-4}, upconv{3-1}, decoder{3-1}, conv_final.
class RefinementUnet : public torch::nn::Module {
 public:
  RefinementUnet(std::int64_t in, std::int64_t out, double width);
  at::Tensor forward(const at::Tensor& x) const;
  void initialise();

 private:
  std::array<std::shared_ptr<ConvBatchNorm>, 4> encoders_;
  std::array<std::shared_ptr<ConvBatchNorm>, 3> decoders_;  // of level l at l - 1
  std::array<std::shared_ptr<models::UpConv>, 3> up_;
  std::shared_ptr<models::BiasedConv> last_;
};

// What the masks of each modality weigh, class by class, from their sizes next to the true one:
//   a_c = sigmoid(MLP_c([mean(S_{c,m}) / g_c for each m, g_c])),   g_c = mean of class c + 1e-7
// Children: weight_fusion.{c}.weight_layer.{0,2,4,6}.
class MaskWeights : public torch::nn::Module {
 public:
  MaskWeights(std::int64_t modalities, std::int64_t classes, double width);
  // masks: N x M x C x D x H x W; one_hot: N x C x D x H x W, the truth -> N x M x C.
  at::Tensor forward(const at::Tensor& masks, const at::Tensor& one_hot) const;

 private:
  std::vector<std::array<std::shared_ptr<models::BiasedConv>, 4>> layers_;  // by class
};

// Label maps N x M x D x H x W (uint8) -> masks N x M x C x D x H x W of `type`. background: the
// mask of class 0 holds what no other class has; else it is 0.
at::Tensor masks_of_labels(const at::Tensor& maps, std::int64_t classes, at::ScalarType type,
                           bool background);

// The array of the published loader, N x (C M) x D x H x W with channel M class + modality -> masks
// N x M x C x D x H x W.
at::Tensor masks_of_array(const at::Tensor& array, std::int64_t modalities);

}  // namespace lacuna::methods::smml
