// UNETR (Hatamizadeh et al. 2022, arXiv 2103.10504) as the bottleneck of another network: patches
// of 4^3 become tokens for a transformer of 12 layers; hidden states after layers 3, 6, 9 and 12
// are decoded step by step back to the resolution and channels of the input.
//
// As MST-KDNet has it: ReLU in the MLP, the level of z3 is halved twice where the stock network
// would come out twice too large, and the layer norm `encoder_norm` exists and is never applied
// (so it has no gradient). The learned position embeddings fix the input's extents. At width 1 with
// 128 channels of 20x24x16: 149,557,472 parameters. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "methods/mst_kdnet/unetr_blocks.h"
#include "models/transformer.h"

namespace lacuna::methods::mst_kdnet {

struct UnetrShape {
  std::int64_t channels = 128;                     // of input and output
  std::array<std::int64_t, 3> extent{20, 24, 16};  // of the input, multiples of 4
  double width = 1;                                // factor on all other channels
  std::int64_t layers = 12;
};

struct UnetrOutput {
  at::Tensor out;                       // N x channels x extent
  std::array<at::Tensor, 4> features;   // of the decoder: F3, F6, F9, F12
  std::array<at::Tensor, 4> attention;  // N x heads x tokens x tokens after layers 3, 6, 9, 12
};

class Unetr : public torch::nn::Module {
 public:
  explicit Unetr(const UnetrShape& shape);

  UnetrOutput forward(const at::Tensor& x, const models::ForwardMode& mode) const;

 private:
  // A chain of blocks in a parent module.
  template <typename Block>
  using Chain = std::vector<std::shared_ptr<Block>>;

  void make_transformer(std::int64_t hidden);
  void make_decoder(std::int64_t hidden);
  at::Tensor tokens_of(const at::Tensor& x, const models::ForwardMode& mode) const;

  UnetrShape shape_;
  models::TransformerShape transformer_;
  at::Tensor position_;
  std::shared_ptr<models::BiasedConv> patches_;
  Chain<models::TransformerLayer> layers_;
  Chain<ConvBatchNorm> decoder0_, merge0_, merge3_, merge6_, merge9_;
  Chain<UpConvBatchNorm> decoder3_, decoder6_, decoder9_;
  std::shared_ptr<Single<models::UpConv>> up3_, up6_, up9_, up12_;
  std::shared_ptr<Single<models::BiasedConv>> head_;
};

}  // namespace lacuna::methods::mst_kdnet
