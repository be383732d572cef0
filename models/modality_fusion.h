// The fusion of the modalities' features at one level in mmFormer and its successors: three units
// with the norm first, M c -> c -> c -> c with kernels 1, 3, 1, the middle one padded with zeros.
//
// The first unit is linear behind a norm of each channel, so it falls into one share per modality,
// which no other modality and no subset changes; the share of features that are 0 is 0.
//
// Children: fusion_layer.{0,1,2}. Not thread-safe.
#pragma once

#include <array>
#include <memory>

#include "models/conv_unit.h"

namespace lacuna::models {

class ModalityFusion : public torch::nn::Module {
 public:
  // style: its border is not used.
  ModalityFusion(std::int64_t modalities, std::int64_t channels, UnitStyle style);

  // features: N x (M c) x d x h x w, modality by modality.
  at::Tensor forward(const at::Tensor& features) const;

  // features: N x c x d x h x w of one modality.
  at::Tensor share(std::int64_t modality, const at::Tensor& features) const;
  // The sum of the shares of the modalities that are there.
  at::Tensor from_shares(const at::Tensor& sum) const;

 private:
  std::int64_t channels_;
  std::array<std::shared_ptr<ConvUnit>, 3> units_;
};

}  // namespace lacuna::models
