// A coarse map of class probabilities from the features of all modalities at one level and, but at
// the deepest level, the decoder's features from below (RFNet; M2FTrans and MIFPN have it too).
//
//   embedding = e3(e2(e1(features)))   (kernels 1, 3, 1: M c -> c/4 -> c/4 -> c)
//   map = softmax(conv(unit([below, embedding])))
//
// Children: embedding_layer.{0,1,2}, prm_layer.{0,1}. Not thread-safe.
#pragma once

#include <array>
#include <memory>

#include "models/conv_unit.h"

namespace lacuna::models {

class ProbabilityMap : public torch::nn::Module {
 public:
  // hidden: channels in front of the classes. below: whether there are features from below.
  ProbabilityMap(std::int64_t modalities, std::int64_t channels, std::int64_t hidden, int classes,
                 bool below, const UnitStyle& style);

  // features: N x (M c) x d x h x w; below: N x c x d x h x w or undefined -> probabilities
  // N x classes x d x h x w, in float under autocast.
  at::Tensor forward(const at::Tensor& features, const at::Tensor& below = {}) const;

 private:
  std::array<std::shared_ptr<ConvUnit>, 3> embedding_;
  std::shared_ptr<ConvUnit> unit_;
  std::shared_ptr<BiasedConv> classify_;
};

}  // namespace lacuna::models
