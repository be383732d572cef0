// The residual block of Myronenko's segmentation network (2018, arXiv 1810.11654, Fig. 1), where
// norm and activation come before each convolution:
//   x + conv2(ReLU(gn2(conv1(ReLU(gn1(x))))))
// with 3x3x3 convolutions and group norm over 8 groups. 54 C^2 + 6 C parameters. Children: gn1,
// conv1, gn2, conv2. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "models/biased_conv.h"

namespace lacuna::models {

inline constexpr std::int64_t kNormGroups = 8;

class PreActivationBlock : public torch::nn::Module {
 public:
  explicit PreActivationBlock(std::int64_t channels);  // a multiple of kNormGroups

  at::Tensor forward(const at::Tensor& x) const;

 private:
  struct Norm : torch::nn::Module {
    explicit Norm(std::int64_t channels);
    at::Tensor activate(const at::Tensor& x) const;  // group norm, ReLU
    at::Tensor weight, bias;
  };
  std::shared_ptr<Norm> norm1_, norm2_;
  std::shared_ptr<BiasedConv> conv1_, conv2_;
};

}  // namespace lacuna::models
