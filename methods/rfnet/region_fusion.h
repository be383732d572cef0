// RFNet's region-aware fusion of the modalities' features at one level (RFM; ICCV 2021, section 3.2
// and code): each class region has its own weights of the modalities.
//
//   R_ki = y_k prm_i                      features of modality k in the region of class i
//   q_i  = mean(prm_i) + 1e-7,  f_ki = mean(R_ki) / q_i
//   a_i  = sigmoid(W2 LReLU(W1 [f_1i, ..., f_Mi, q_i]))     one weight per modality, no softmax
//   out  = [region_fusion([sum_k a_ki R_ki]_i), short_cut([y_k]_k)]
//
// Not thread-safe.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "models/conv_unit.h"

namespace lacuna::methods::rfnet {

class RegionFusion : public torch::nn::Module {
 public:
  // channels: even. hidden: of the weights' perceptron (published: 128).
  RegionFusion(std::int64_t modalities, std::int64_t channels, std::int64_t hidden, int classes,
               const models::UnitStyle& style);

  // features: N x M x c x d x h x w, 0 where a modality is missing; map: N x classes x d x h x w,
  // from which no gradient goes back -> N x c x d x h x w.
  at::Tensor forward(const at::Tensor& features, const at::Tensor& map) const;

  // The parts of forward(), for comparison with worked examples. N x classes x (M c + 1): each
  // region's mean features and its extent.
  static at::Tensor descriptors(const at::Tensor& features, const at::Tensor& map);
  // N x classes x M.
  at::Tensor weights(const at::Tensor& descriptors) const;
  // N x (classes c) x d x h x w.
  static at::Tensor fused(const at::Tensor& features, const at::Tensor& map,
                          const at::Tensor& weights);

 private:
  std::vector<std::array<std::shared_ptr<models::BiasedConv>, 2>> perceptrons_;  // by class
  std::array<std::shared_ptr<models::ConvUnit>, 3> regions_, short_cut_;
};

}  // namespace lacuna::methods::rfnet
