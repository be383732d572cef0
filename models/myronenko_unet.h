// The segmentation network of Myronenko (2018, arXiv 1810.11654) in the form that SMU-Net and ACN
// publish, with three levels below the full resolution:
//
//   c1 = conv1b(conv1a(x));  c2 = conv2b(conv2a(ds1(c1)));  c2d = ds2(c2);  c3 =
//   conv3b(conv3a(c2d)) c3d = ds3(c3);  content = conv4d(... conv4a(c3d)) with a style branch
//   (SMU-Net): style = convc([maxpool(c2d), c3d, content]),
//                                  y = dropout(convco([style, content]))
//   without it (ACN):              y = dropout(content)
//   decoder: y = up_l convb(up2(up_l conva(y)) + c_l), l = 3, 2, 1;  logit = up1conv(y)
//
// Base width b = 16 at width 1 (a multiple of 8: group norm wants whole groups): 4,778,212
// parameters with style and 4 inputs, 4,704,228 without. Names are those of the published
// state_dict. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "models/forward_mode.h"
#include "models/pre_activation_block.h"

namespace lacuna::models {

struct MyronenkoShape {
  std::int64_t in = 4, out = 4;
  double width = 1;
  bool style = false;
  double dropout = 0.2;
  bool deep = false;  // heads ds_out.0 on u4 and ds_out.1 on u3, for deep supervision (M3AE)
};

struct MyronenkoOutput {
  at::Tensor logit;    // N x out x D x H x W
  at::Tensor content;  // N x 8b x D/8 x H/8 x W/8, before dropout
  at::Tensor style;    // like content; undefined without the style branch
  // Of the heads, coarse first: N x out at a quarter and at half of the extents. Where asked for.
  std::vector<at::Tensor> deep;
};

class MyronenkoUnet : public torch::nn::Module {
 public:
  explicit MyronenkoUnet(const MyronenkoShape& shape);

  // x: N x in x D x H x W, multiples of 8. dropped: if not null, receives what enters the decoder.
  // deep: the heads of deep supervision are computed.
  MyronenkoOutput forward(const at::Tensor& x, const ForwardMode& mode,
                          at::Tensor* dropped_content = nullptr, bool deep = false) const;

  // PyTorch's default weights.
  void initialise();
  std::int64_t content_channels() const { return 8 * base_; }

  // 16 channels at width 1.
  static std::int64_t base_channels(double width);

 private:
  using Block = std::shared_ptr<PreActivationBlock>;
  struct Up {
    std::shared_ptr<BiasedConv> reduce;
    Block refine;
  };
  std::shared_ptr<BiasedConv> conv(const char* name, std::int64_t in, std::int64_t out,
                                   std::int64_t kernel = 1, std::int64_t stride = 1);

  double dropout_;
  std::int64_t base_;
  std::shared_ptr<BiasedConv> first_, style_, merge_, last_;
  std::array<std::shared_ptr<BiasedConv>, 3> down_;
  std::array<std::vector<Block>, 4> blocks_;  // by level, finest first; the last is "content"
  std::array<Up, 3> up_;                      // by level, finest first
  std::vector<std::shared_ptr<BiasedConv>> deep_;
};

}  // namespace lacuna::models
