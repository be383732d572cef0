// PMKL beside its teacher (models/gated_fusion.h): the student and the heads that make embeddings
// of both. Weights are 0 until initialise_gated(). Not thread-safe.
#pragma once

#include <memory>

#include "data/types/extent.h"
#include "models/gated_fusion.h"
#include "models/linear.h"

namespace lacuna::methods::pmkl {

// Children: ce, mask_de: the teacher's encoder and decoder with several input channels.
class Student : public torch::nn::Module {
 public:
  Student(std::int64_t in, int classes, double width);
  // N x in x D x H x W.
  models::MaskDecoder::Output forward(const at::Tensor& image) const;

 private:
  std::shared_ptr<models::ModalityEncoder> encoder_;
  std::shared_ptr<models::MaskDecoder> decoder_;
};

inline constexpr std::int64_t kEmbedding = 16;

// Means of the features over every window of half of the extent, or over all of it, then two
// affine maps without bias and a ReLU between them; a unit vector. In float at least, whatever
// autocast does. Children: linear_0, linear_1.
class EmbeddingHead : public torch::nn::Module {
 public:
  // extent: that of the features.
  EmbeddingHead(std::int64_t channels, const data::Extent& extent, bool global);
  // N x channels x D x H x W -> N x 16.
  at::Tensor forward(const at::Tensor& features) const;

 private:
  data::Extent window_;
  bool global_;
  std::shared_ptr<models::Linear> first_, second_;
};

}  // namespace lacuna::methods::pmkl
