// The encoder of one modality in RFNet and its successors: levels of three units, of which the
// first halves the extent (but at level 1), with a shortcut over the other two.
//
//   x_l = c1 + c3(c2(c1)),   c1 = e{l}_c1(x_{l-1});   no activation after the sum
//
// Level l has base * 2^(l-1) channels at 1/2^(l-1) of the extent. Children: e1_c1, e1_c2, e1_c3,
// e2_c1, ... Where the norm comes first, e1_c1 is a plain convolution. Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "models/conv_unit.h"

namespace lacuna::models {

class ModalityEncoder : public torch::nn::Module {
 public:
  // channels: of each level; in: of the image.
  ModalityEncoder(const std::vector<std::int64_t>& channels, const UnitStyle& style,
                  std::int64_t in = 1);

  // image: N x in x D x H x W -> x_1, x_2, ...
  std::vector<at::Tensor> forward(const at::Tensor& image) const;

 private:
  std::shared_ptr<BiasedConv> first_;             // e1_c1, where the norm comes first
  std::vector<std::shared_ptr<ConvUnit>> units_;  // three per level; the first is null with first_
};

// Channels of the levels of a network: base * 2^(l-1) at width 1; at another width the nearest
// multiple of `multiple` that is not 0.
std::vector<std::int64_t> doubling_channels(std::int64_t base, int levels, double width,
                                            std::int64_t multiple);

}  // namespace lacuna::models
