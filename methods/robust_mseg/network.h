// Robust-MSeg beside its segmentation path (models/gated_fusion.h): per modality an encoder of its
// style, eight numbers, and a decoder that rebuilds its image from the fused content and that
// style. Names are those of the PyTorch port that the comparison vectors come from. Weights are 0
// until initialise_gated(). Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/gated_fusion.h"
#include "models/linear.h"

namespace lacuna::methods::robust_mseg {

// Children: c_0 ... c_4 (ReLU, no norm), se_logit.
class StyleEncoder : public torch::nn::Module {
 public:
  StyleEncoder(std::int64_t code, double width);
  // N x 1 x D x H x W -> N x code.
  at::Tensor forward(const at::Tensor& image) const;

 private:
  std::vector<std::shared_ptr<models::ConvUnit>> units_;
  std::shared_ptr<models::ConvUnit> last_;
};

// What AdaIN does to the channels of an image decoder: N x c each. Published as `mu` and `sigma`,
// which would be the other way round.
struct Style {
  at::Tensor scale, shift;
};

// scale (x - mean) / sqrt(var + 1e-5) + shift per sample and channel, then the residual, if any, or
// a ReLU.
at::Tensor adaptive_norm(const at::Tensor& x, const Style& style, const at::Tensor& residual = {});

// (x - mean) / sqrt(var + 1e-12) over all channels and voxels of a sample together, scaled and
// shifted per channel, then a ReLU. Parameters: weight, bias.
class WholeNorm : public torch::nn::Module {
 public:
  explicit WholeNorm(std::int64_t channels);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor scale_, shift_;
};

// Children: mlp.{linear_0, linear_1, mu, sigma}.linear, res_0 ... res_3, conv_0 ... conv_2,
// layer_norm_1 ... layer_norm_3.
class ImageDecoder : public torch::nn::Module {
 public:
  // channels: of the content, finest first.
  ImageDecoder(std::int64_t code, const std::vector<std::int64_t>& channels);
  Style style(const at::Tensor& code) const;
  // content: the deepest, N x c x d x h x w -> N x channels[0] at the image's extent.
  at::Tensor forward(const at::Tensor& content, const Style& style) const;

 private:
  std::vector<std::shared_ptr<models::Linear>> mlp_;
  std::vector<std::pair<std::shared_ptr<models::ConvUnit>, std::shared_ptr<models::ConvUnit>>>
      blocks_;
  std::vector<std::pair<std::shared_ptr<models::ConvUnit>, std::shared_ptr<WholeNorm>>> enlarging_;
};

class Network : public models::GatedNetwork {
 public:
  // shared_output: one last convolution (G_logit) for the images of all modalities, as published;
  // else each decoder has its own.
  Network(const std::vector<std::string>& modalities, int classes, double width,
          bool shared_output);

  struct Rebuilt {
    at::Tensor image;  // N x 1 x D x H x W
    at::Tensor code;
    Style style;
  };
  // The image of a modality from the deepest fused content and its own style, which the image
  // `own`, N x 1 x D x H x W, has.
  Rebuilt rebuild(const at::Tensor& content, const at::Tensor& own, std::size_t modality) const;

 private:
  std::vector<std::shared_ptr<StyleEncoder>> styles_;
  std::vector<std::shared_ptr<ImageDecoder>> images_;
  std::vector<std::shared_ptr<models::ConvUnit>> outputs_;  // one, or one per modality
};

}  // namespace lacuna::methods::robust_mseg
