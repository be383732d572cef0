// The network of MST-KDNet (Zhu et al., MICCAI 2025), of which teacher and student are one each: a
// Myronenko U-Net of three levels with UNETR in its bottleneck, and a style branch beside it.
//
//   encoder: c1, c2, c2d, c3, c3d;   o = UNETR(c3d) + c3d;   content c4d = 4 blocks of o
//   style = conv1([maxpool(c2d), c3d, o]);   decoder of dropout(conv1([style, c4d])), skips added
//
// 154,335,684 parameters at width 1 for 160x192x128 voxels, of which UNETR 149,557,472. The input
// size is fixed (methods/mst_kdnet/unetr.h). Names are those of the published state_dict. Not
// thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "methods/mst_kdnet/unetr.h"
#include "models/pre_activation_block.h"

namespace lacuna::methods::mst_kdnet {

struct Shape {
  std::int64_t in = 4, out = 4;
  std::array<std::int64_t, 3> extent{160, 192, 128};  // multiples of 32
  double width = 1;
};

struct Output {
  at::Tensor logit;    // N x out x extent
  at::Tensor content;  // c4d: N x 8b x extent / 8, with b = 16 base channels at width 1
  at::Tensor style;    // like content
  std::array<at::Tensor, 4> features, attention;   // of UNETR, shallow to deep
  at::Tensor c2d_pooled, c3d, bottleneck, merged;  // 4b, 8b, 8b, 8b channels at extent / 8
};

class Network : public torch::nn::Module {
 public:
  explicit Network(const Shape& shape);

  // x: N x in x extent. Dropout: 0.2 before the decoder, 0.1 in the transformer. Throws ConfigError
  // for another extent.
  Output forward(const at::Tensor& x, const models::ForwardMode& mode) const;

  // PyTorch's default weights, position embeddings 0.
  void initialise();
  std::int64_t style_channels() const { return 8 * base_; }

 private:
  using Block = std::shared_ptr<models::PreActivationBlock>;
  struct Up {
    std::shared_ptr<models::BiasedConv> reduce;
    Block refine;
  };
  std::shared_ptr<models::BiasedConv> conv(const char* name, std::int64_t in, std::int64_t out,
                                           std::int64_t kernel = 1, std::int64_t stride = 1);

  Shape shape_;
  std::int64_t base_;
  std::shared_ptr<models::BiasedConv> first_, style_, merge_, last_;
  std::array<std::shared_ptr<models::BiasedConv>, 3> down_;
  std::array<std::vector<Block>, 4> blocks_;  // by level, finest first; the last is "content"
  std::array<Up, 3> up_;                      // by level, finest first
  std::shared_ptr<Unetr> unetr_;
};

}  // namespace lacuna::methods::mst_kdnet
