// MCTSeg under the names of its published state_dict: per modality an encoder and a transformer
// with convolutional adapters over its deepest features; an encoder of all modalities at once, the
// teacher; the fusion of all modalities' tokens; the decoder that fuses, and the decoder of single
// features. Made for one extent, by which the token grid goes. Weights are 0 until initialise().
// Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/types/extent.h"
#include "models/fused_decoder.h"
#include "models/modality_encoder.h"
#include "models/token_layers.h"

namespace lacuna::methods::mctseg {

struct Shape {
  std::vector<std::string> modalities;  // in the network's order
  int classes = 4;
  double width = 1;
  data::Extent extent{128, 128, 128};
  double dropout = 0.1;
  bool positions = false;  // learnt ones; else there are none
  bool aligned_tokens = false;
};

// Linear, QuickGELU, convolution 3^3 on the grid of the tokens, QuickGELU, dropout, Linear, which
// is 0 at the start; QuickGELU(v) = v sigmoid(1.702 v). Children: adapter_{conv,down,up}.
class ConvAdapter : public torch::nn::Module {
 public:
  ConvAdapter(std::int64_t in, std::int64_t hidden, std::int64_t out, double dropout);
  // tokens: N x tokens x in, of a grid.
  at::Tensor forward(const at::Tensor& tokens, at::IntArrayRef grid,
                     const models::ForwardMode& mode) const;
  void initialise();

  static at::Tensor quick_gelu(const at::Tensor& x) { return x * (1.702 * x).sigmoid(); }

 private:
  double dropout_;
  std::shared_ptr<models::BiasedConv> conv_;
  std::shared_ptr<models::Linear> down_, up_;
};

// x <- x + drop(SA(LN x) + CP(LN x)),   x <- x + FF(LN x) + CP'(LN x)
class AdaptedTransformer : public torch::nn::Module {
 public:
  AdaptedTransformer(const models::TokenTransformerShape& shape, std::int64_t adapter);
  at::Tensor forward(const at::Tensor& tokens, at::IntArrayRef grid,
                     const models::ForwardMode& mode) const;
  void initialise();

 private:
  double dropout_;
  std::shared_ptr<models::LayerNorm> attention_norm_, mlp_norm_;
  std::shared_ptr<models::TokenAttention> attention_;
  std::shared_ptr<models::TokenFeedForward> mlp_;
  std::shared_ptr<ConvAdapter> attention_adapter_, mlp_adapter_;
};

// The tokens of all modalities through one transformer block, laid out as a map and brought to
// `width` channels; beside it an adapter over the modalities' tokens place by place. Both are
// added.
class CrossModalFusion : public torch::nn::Module {
 public:
  CrossModalFusion(const models::TokenTransformerShape& shape, std::int64_t modalities,
                   std::int64_t adapter, bool aligned);
  // tokens: of each modality, N x tokens x width; positions: the same, 1 x ..., or empty
  // -> N x width x d x h x w.
  at::Tensor forward(const std::vector<at::Tensor>& tokens,
                     const std::vector<at::Tensor>& positions, at::IntArrayRef grid,
                     const models::ForwardMode& mode) const;
  void initialise();

 private:
  double dropout_;
  bool aligned_;
  std::shared_ptr<models::LayerNorm> attention_norm_, mlp_norm_;
  std::shared_ptr<models::TokenAttention> attention_;
  std::shared_ptr<models::TokenFeedForward> mlp_;
  std::shared_ptr<ConvAdapter> adapter_;
  std::shared_ptr<models::BiasedConv> decode_;
};

class Network : public torch::nn::Module {
 public:
  explicit Network(const Shape& shape);
  void initialise();

  // Of one modality: features by level, finest first, and its tokens, N x tokens x width.
  struct Encoded {
    std::vector<at::Tensor> levels;
    at::Tensor tokens;
  };
  // image: N x 1 x D x H x W.
  Encoded encode(const at::Tensor& image, std::size_t modality,
                 const models::ForwardMode& mode) const;
  // image: N x M x D x H x W -> features of the teacher by level.
  std::vector<at::Tensor> encode_all(const at::Tensor& image) const { return all_->forward(image); }
  models::Contribution contribution(const Encoded& encoded, std::size_t modality) const;
  // mask: N x M, what a sample lacks is 0; undefined: what is not empty is there.
  models::FusedDecoder::Output decode(const std::vector<models::Contribution>& given,
                                      const at::Tensor& mask, bool deep,
                                      const models::ForwardMode& mode) const;
  // Logits of one modality alone, whose deepest features come from its tokens; of the teacher.
  at::Tensor separate(const Encoded& encoded, std::size_t modality) const;
  at::Tensor separate_all(const std::vector<at::Tensor>& levels) const {
    return separate_->forward(levels);
  }

 private:
  struct Branch {
    at::Tensor position;  // 1 x tokens x width, or undefined
    std::shared_ptr<models::ModalityEncoder> encoder;
    std::shared_ptr<models::BiasedConv> to_tokens, from_tokens;
    std::shared_ptr<AdaptedTransformer> transformer;
  };

  std::vector<std::int64_t> grid_;  // of the tokens
  std::vector<Branch> branches_;
  std::shared_ptr<models::ModalityEncoder> all_;
  std::shared_ptr<CrossModalFusion> fusion_;
  std::shared_ptr<models::FusedDecoder> fused_;
  std::shared_ptr<models::SeparateDecoder> separate_;
};

}  // namespace lacuna::methods::mctseg
