// Decodes a window under many modality subsets from features that are encoded once: for methods
// with the shared encoder and decoder.
//
// Features of a window: the bottleneck of each modality and, per decoder level, each modality's
// share of the shortcut convolution, which is linear. What a zero image contributes depends on
// weights and window shape only and is kept until invalidate(). Results equal the network's
// forward pass up to summation order. Gradient-free; not thread-safe.
#pragma once

#include <functional>
#include <vector>

#include "models/shared_network.h"

namespace lacuna::methods {

class SubsetDecoder {
 public:
  // From a window's features and one subset per sample, the bottleneck with every slot filled: N x
  // M x C x d x h x w.
  using Fill = std::function<at::Tensor(const std::vector<at::Tensor>& features,
                                        const std::vector<data::SubsetMask>& subsets)>;

  SubsetDecoder(models::SharedNetwork& network, Fill fill)
      : network_(network), fill_(std::move(fill)) {}

  // image: N x M x D x H x W -> [bottleneck N x M x ..., then per level 0..3 the shares of present
  // modalities N x M x c x ... and of missing ones 1 x M x c x ...].
  std::vector<at::Tensor> encode(const at::Tensor& image);
  // What encode() returned, to which a method may append tensors for its Fill. -> S x N x outputs x
  // D x H x W, before the sigmoid.
  at::Tensor decode(const std::vector<at::Tensor>& features,
                    const std::vector<data::SubsetMask>& subsets);
  // The bottleneck of a zero image, 1 x 1 x C x d x h x w, as of the last encode().
  const at::Tensor& absent_bottleneck() const { return absent_bottleneck_; }
  void invalidate() { absent_.clear(); }

 private:
  std::vector<at::Tensor> shares(const models::SharedNetwork::Features& features) const;
  at::Tensor decode_chunk(const std::vector<at::Tensor>& features,
                          const std::vector<data::SubsetMask>& subsets) const;

  models::SharedNetwork& network_;
  Fill fill_;
  std::vector<at::Tensor> absent_;  // per level: 1 x M x c x ...
  at::Tensor absent_bottleneck_;
  std::vector<std::int64_t> absent_shape_;
};

}  // namespace lacuna::methods
