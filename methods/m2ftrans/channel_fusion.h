// M2FTrans' fusion of the modalities' deep features by cross attention between channels (card 2.4,
// "CT"). Maps are taken as rows, N x voxels x C. Per layer:
//
//   S = softmax(q k^T / sqrt(voxels)) in C x (M C), columns of missing modalities -inf
//   query <- F1(query + drop(out(S v))),   in the first of two layers also feature_m <-
//   F2(feature_m)
//
// with q = query_map(query), k and v the channels of key_map_m(feature_m), value_map_m(feature_m)
// one modality after the other. Weights are 0 until initialise_kaiming(). Not thread-safe.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "models/biased_conv.h"
#include "models/forward_mode.h"
#include "models/linear.h"

namespace lacuna::methods::m2ftrans {

// A convolution of kernel 3 in groups, padded with zeros, in float under autocast. Parameters
// weight, out x (in / groups) x 3 x 3 x 3, and bias.
class GroupedConv : public torch::nn::Module {
 public:
  GroupedConv(std::int64_t channels, std::int64_t groups);
  at::Tensor forward(const at::Tensor& x) const;  // N x channels x d x h x w

 private:
  std::int64_t groups_;
  at::Tensor weight_, bias_;
};

// LN(conv1(GELU(LN(conv3(GELU(LN(conv1(x)))))))), from C to C with `expand` C between, the kernel
// of 3 in C groups. Layer norms over channels. Children: {convolutions[0]}, norm1,
// {convolutions[1]}, norm2, {convolutions[2]}, norm3.
class ChannelBlock : public torch::nn::Module {
 public:
  ChannelBlock(std::int64_t channels, std::int64_t expand,
               const std::array<std::string, 3>& convolutions);
  at::Tensor forward(const at::Tensor& rows, at::IntArrayRef extent) const;

 private:
  std::shared_ptr<models::BiasedConv> first_, last_;
  std::shared_ptr<GroupedConv> middle_;
  std::array<std::shared_ptr<models::LayerNorm>, 3> norms_;
};

class ChannelFusion : public torch::nn::Module {
 public:
  // modalities: names of the published parts.
  ChannelFusion(std::int64_t channels, const std::vector<std::string>& modalities, double dropout);

  // features: by modality, N x C x d x h x w; undefined: no sample has it. query: the same shape.
  // mask: N x M, 0 where a sample lacks a modality; undefined: what is defined is there -> query.
  // Precondition: each sample has a modality.
  at::Tensor forward(const std::vector<at::Tensor>& features, const at::Tensor& query,
                     const at::Tensor& mask, const models::ForwardMode& mode) const;

  // softmax(q k^T / sqrt(voxels)): N x C x (M C). query, key: N x voxels x channels; forbidden: N x
  // 1 x (M C), or undefined.
  static at::Tensor weights(const at::Tensor& query, const at::Tensor& key,
                            const at::Tensor& forbidden);

 private:
  struct Layer {
    std::shared_ptr<ChannelBlock> query, out, ffn1, ffn2;  // ffn2: in the first layer only
    std::vector<std::shared_ptr<ChannelBlock>> key, value;
  };
  std::int64_t channels_;
  double dropout_;
  std::vector<Layer> layers_;
};

}  // namespace lacuna::methods::m2ftrans
