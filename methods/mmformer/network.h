// mmFormer under the names of its published state_dict: per modality an encoder and a transformer
// over its deepest features, one transformer over the tokens of all modalities, the decoder that
// fuses, and the decoder of single modalities. Made for one extent (position embeddings). Weights
// are 0 until initialise(). Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/types/extent.h"
#include "models/modality_encoder.h"
#include "models/modality_fusion.h"
#include "models/token_transformer.h"
#include "models/trunk_decoder.h"

namespace lacuna::methods::mmformer {

struct Shape {
  std::vector<std::string> modalities;  // in the network's order
  int classes = 4;
  double width = 1;
  data::Extent extent{128, 128, 128};
  models::UnitStyle style{.norm_first = true};
  double dropout = 0.1;
  // Tokens that leave the last transformer go to the place in the map where they came from; else
  // they are laid out as the published code has it.
  bool aligned_tokens = false;
};

// Of one modality: features by level, finest first, N x c x d x h x w, and the tokens of the
// deepest one behind its own transformer, N x tokens x width.
struct Encoded {
  std::vector<at::Tensor> levels;
  at::Tensor tokens;
};

// What a modality contributes to the fused decoder, without the other modalities: its share of the
// fusion of every level but the deepest, and its tokens. Empty: the modality is missing.
struct Contribution {
  std::vector<at::Tensor> shares;
  at::Tensor tokens;
};

class FusedDecoder : public models::TrunkDecoder {
 public:
  FusedDecoder(const std::vector<std::int64_t>& channels, const Shape& shape);

  struct Output {
    at::Tensor logits;             // N x classes x D x H x W
    std::vector<at::Tensor> deep;  // logits at 1/2, 1/4, 1/8, 1/16 of the extent
  };
  // mixed: N x (M c) x d x h x w behind the last transformer; sums: of the shares of what is there,
  // finest level first.
  Output forward(const at::Tensor& mixed, const std::vector<at::Tensor>& sums, bool deep) const;

  at::Tensor share(std::size_t level, std::int64_t modality, const at::Tensor& features) const {
    return fusion_[level]->share(modality, features);
  }

 private:
  std::shared_ptr<models::BiasedConv> classify_;
  std::vector<std::shared_ptr<models::BiasedConv>> deep_;        // seg_d{l} at l - 1
  std::vector<std::shared_ptr<models::ModalityFusion>> fusion_;  // RFM{l} at l - 1
};

class Network : public torch::nn::Module {
 public:
  explicit Network(const Shape& shape);
  void initialise();

  // image: N x 1 x D x H x W.
  Encoded encode(const at::Tensor& image, std::size_t modality,
                 const models::ForwardMode& mode) const;
  Contribution contribution(const Encoded& encoded, std::size_t modality) const;
  // mask: N x M, what a sample lacks is 0; undefined: what is not empty is there.
  FusedDecoder::Output decode(const std::vector<Contribution>& given, const at::Tensor& mask,
                              bool deep, const models::ForwardMode& mode) const;
  // Logits of one modality alone.
  at::Tensor separate(const Encoded& encoded) const { return separate_->forward(encoded.levels); }

  // N x (M tokens) x width -> the map that the published code makes of them, N x (M width) x d x h
  // x w: the rows of memory are taken for the voxels', so voxel p gets tokens M p to M p + M - 1.
  at::Tensor layout(const at::Tensor& tokens) const;

 private:
  struct Branch {
    at::Tensor position;  // 1 x tokens x width
    std::shared_ptr<models::ModalityEncoder> encoder;
    std::shared_ptr<models::BiasedConv> to_tokens;
    std::shared_ptr<models::TokenTransformer> transformer;
  };

  Shape shape_;
  std::vector<std::int64_t> grid_;  // extent of the deepest level
  std::vector<Branch> branches_;
  std::shared_ptr<models::TokenTransformer> transformer_;
  std::shared_ptr<models::BiasedConv> from_tokens_;
  std::shared_ptr<FusedDecoder> fused_;
  std::shared_ptr<models::SeparateDecoder> separate_;
};

}  // namespace lacuna::methods::mmformer
