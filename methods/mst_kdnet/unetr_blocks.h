// The convolutional blocks of UNETR's decoder, with the child names of its first public code.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "models/batch_norm.h"
#include "models/biased_conv.h"

namespace lacuna::methods::mst_kdnet {

// Convolution 3x3x3, batch norm, ReLU: block.{0.block,1}.
class ConvBatchNorm : public torch::nn::Module {
 public:
  ConvBatchNorm(std::int64_t in, std::int64_t out, std::int64_t stride = 1);
  at::Tensor forward(const at::Tensor& x, const models::ForwardMode& mode) const;

 private:
  std::shared_ptr<models::BiasedConv> conv_;
  std::shared_ptr<models::BatchNorm> norm_;
};

// Doubles the extents, then convolution 3x3x3, batch norm, ReLU: block.{0.block,1.block,2}.
class UpConvBatchNorm : public torch::nn::Module {
 public:
  UpConvBatchNorm(std::int64_t in, std::int64_t out);
  at::Tensor forward(const at::Tensor& x, const models::ForwardMode& mode) const;

 private:
  std::shared_ptr<models::UpConv> up_;
  std::shared_ptr<models::BiasedConv> conv_;
  std::shared_ptr<models::BatchNorm> norm_;
};

// A convolution or transposed convolution alone: block.
template <typename Convolution>
class Single : public torch::nn::Module {
 public:
  template <typename... Arguments>
  explicit Single(const Arguments&... arguments)
      : convolution_(register_module("block", std::make_shared<Convolution>(arguments...))) {}
  at::Tensor forward(const at::Tensor& x, const models::ForwardMode&) const {
    return convolution_->forward(x);
  }

 private:
  std::shared_ptr<Convolution> convolution_;
};

}  // namespace lacuna::methods::mst_kdnet
