// The networks of RA-HVED under the published names (RA_HVED.py: U_HVEDConvNet3D; Discriminator).
// A unit is instance norm without scale and shift, leaky ReLU 0.01, convolution with bias; a pair
// is two of them. Levels are finest first, each half of the one before. Not thread-safe.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "models/conv_unit.h"
#include "models/forward_mode.h"

namespace lacuna::methods::ra_hved {

inline constexpr int kLevels = 4;
inline constexpr std::int64_t kRegions = 3;  // WT, TC, ET

using Levels = std::array<at::Tensor, kLevels>;

// Children: SingleConv1, SingleConv2.
class Pair : public torch::nn::Module {
 public:
  Pair(std::int64_t in, std::int64_t between, std::int64_t out);
  at::Tensor forward(const at::Tensor& x) const { return second_->forward(first_->forward(x)); }

 private:
  std::shared_ptr<models::ConvUnit> first_, second_;
};

// [max over channels, mean over channels]: N x C x ... -> N x 2 x ...
at::Tensor channel_pool(const at::Tensor& x);

// The ROI-attentive skip module. Children: enc_spatial{,2} (skip), seg_spatial{,2} (decoder).
class AttentiveSkip : public torch::nn::Module {
 public:
  AttentiveSkip();
  // Decoder and skip, of one shape but for the channels, each times one plus its gate.
  std::pair<at::Tensor, at::Tensor> forward(const at::Tensor& decoder,
                                            const at::Tensor& skip) const;

 private:
  struct Gate {
    at::Tensor weight, bias, weight2, bias2;
    at::Tensor operator()(const at::Tensor& pooled) const;  // in (0, 1)
  };
  Gate gate(const std::string& name, std::int64_t wide);
  Gate skip_, decoder_;
};

// Child `model` of the method: encoders, re-expansion, and the decoders.
class Network : public torch::nn::Module {
 public:
  Network(std::int64_t modalities, double width);

  // image: N x M x D x H x W, extents multiples of 16 -> [level][modality], means and log
  // variances of half the level's resolution as channels. Dropout of whole channels after the first
  // convolution.
  std::array<std::vector<at::Tensor>, kLevels> encode(const at::Tensor& image, double dropout,
                                                      const models::ForwardMode& mode) const;
  // Latents -> features of the level's resolution.
  Levels expand(const Levels& latents) const;
  at::Tensor segment(const Levels& features) const;  // N x 3 x D x H x W, logits
  at::Tensor rebuild(const Levels& features) const;  // N x M x D x H x W, images

 private:
  using Decoder = std::array<std::shared_ptr<Pair>, kLevels - 1>;  // coarse to fine

  std::array<std::vector<std::shared_ptr<models::ConvUnit>>, kLevels> reductions_;
  Levels widened_, convs_;  // kernels of the re-expansion
  std::vector<std::shared_ptr<models::BiasedConv>> first_, last_images_;
  std::array<std::vector<std::shared_ptr<Pair>>, kLevels> encoders_;
  std::array<std::shared_ptr<AttentiveSkip>, kLevels - 1> attention_;
  Decoder segmentation_;
  std::vector<Decoder> images_;
  std::shared_ptr<models::BiasedConv> last_;
};

// Child `disc`: a map of judgements without activation. Least extent 32.
class Discriminator : public torch::nn::Module {
 public:
  Discriminator(std::int64_t in, double width);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  std::vector<std::shared_ptr<models::BiasedConv>> convs_;
  at::Tensor last_;
};

}  // namespace lacuna::methods::ra_hved
