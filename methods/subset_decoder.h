// Decodes a window under many modality subsets from features that are encoded once: the shared part
// of evaluating MCKD (and methods with its decoder).
//
// Features of a window: the bottleneck of each modality and, per decoder level, each modality's
// share of the shortcut convolution, which is linear. What a zero image contributes depends on
// weights and window shape only and is kept until invalidate(). Results equal the network's
// forward pass up to summation order. Gradient-free; not thread-safe.
#pragma once

#include <vector>

#include "methods/mckd_network.h"

namespace lacuna::methods {

class SubsetDecoder {
 public:
  explicit SubsetDecoder(MckdNetwork& network) : network_(network) {}

  // image: N x M x D x H x W -> [bottleneck N x M x ..., then per level 0..3 the shares of present
  // modalities N x M x c x ... and of missing ones 1 x M x c x ...].
  std::vector<at::Tensor> encode(const at::Tensor& image);
  // -> S x N x outputs x D x H x W, before the sigmoid.
  at::Tensor decode(const std::vector<at::Tensor>& features,
                    const std::vector<data::SubsetMask>& subsets);
  void invalidate() { absent_.clear(); }

 private:
  std::vector<at::Tensor> shares(const MckdNetwork::Features& features) const;
  at::Tensor decode_chunk(const std::vector<at::Tensor>& features,
                          const std::vector<data::SubsetMask>& subsets) const;

  MckdNetwork& network_;
  std::vector<at::Tensor> absent_;  // per level: 1 x M x c x ...
  std::vector<std::int64_t> absent_shape_;
};

}  // namespace lacuna::methods
