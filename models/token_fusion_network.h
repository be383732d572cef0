// mmFormer under the names of its published state_dict: per modality an encoder and a transformer
// over its deepest features, one transformer over the tokens of all modalities, the decoder that
// fuses, and the decoder of single modalities. Made for one extent (position embeddings). Weights
// are 0 until initialise(). Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/types/extent.h"
#include "models/fused_decoder.h"
#include "models/modality_encoder.h"
#include "models/token_transformer.h"

namespace lacuna::models {

struct TokenFusionShape {
  std::vector<std::string> modalities;  // in the network's order
  int classes = 4;
  double width = 1;
  data::Extent extent{128, 128, 128};
  UnitStyle style{.norm_first = true};
  double dropout = 0.1;
  // Tokens that leave the last transformer go to the place in the map where they came from; else
  // they are laid out as the published code has it.
  bool aligned_tokens = false;
};

class TokenFusionNetwork : public torch::nn::Module {
 public:
  explicit TokenFusionNetwork(const TokenFusionShape& shape);
  void initialise();

  // Of one modality: features by level, finest first, N x c x d x h x w, and the tokens of the
  // deepest one behind its own transformer, N x tokens x width.
  struct Encoded {
    std::vector<at::Tensor> levels;
    at::Tensor tokens;
  };
  struct Output : FusedDecoder::Output {
    at::Tensor bottleneck;  // N x (M c) x d x h x w behind the last transformer
  };

  // image: N x 1 x D x H x W.
  Encoded encode(const at::Tensor& image, std::size_t modality, const ForwardMode& mode) const;
  Contribution contribution(const Encoded& encoded, std::size_t modality) const;
  // mask: N x M, what a sample lacks is 0; undefined: what is not empty is there.
  Output decode(const std::vector<Contribution>& given, const at::Tensor& mask, bool deep,
                const ForwardMode& mode) const;
  // Logits of one modality alone.
  at::Tensor separate(const Encoded& encoded) const { return separate_->forward(encoded.levels); }

  // Training: every output, of an image N x M x D x H x W whose modalities are all encoded.
  struct Trained {
    Output fused;
    std::vector<at::Tensor> separate;  // logits by modality
  };
  // Puts others in the place of the finest features of each modality, N x c x D x H x W; undefined
  // on entry: the modality is missing; on return: it stays so. Empty: nothing is changed.
  using FinestMap = std::function<void(std::vector<at::Tensor>& finest)>;
  // modes: of each modality's transformer, then of the last one. `separate`: asked for. What
  // `finest` makes is no matter of the mask.
  Trained train(const at::Tensor& image, const at::Tensor& mask,
                const std::vector<ForwardMode>& modes, bool separate = true,
                const FinestMap& finest = nullptr) const;

  // Evaluation: what all modalities of an image contribute, as listed(); then the logits of those
  // that `present` names.
  std::vector<at::Tensor> encode_all(const at::Tensor& image) const;
  at::Tensor decode_present(const std::vector<at::Tensor>& encoded,
                            const std::vector<bool>& present) const;
  // Both at once; what is missing is not encoded.
  at::Tensor segment(const at::Tensor& image, const std::vector<bool>& present,
                     const FinestMap& finest = nullptr) const;

  // N x (M tokens) x width -> the map that the published code makes of them, N x (M width) x d x h
  // x w: the rows of memory are taken for the voxels', so voxel p gets tokens M p to M p + M - 1.
  at::Tensor layout(const at::Tensor& tokens) const;

 private:
  std::vector<Contribution> contributions(const at::Tensor& image, const std::vector<bool>& present,
                                          const FinestMap& finest) const;
  void map(std::vector<Encoded>& encoded, const FinestMap& finest) const;

  struct Branch {
    at::Tensor position;  // 1 x tokens x width
    std::shared_ptr<ModalityEncoder> encoder;
    std::shared_ptr<BiasedConv> to_tokens;
    std::shared_ptr<TokenTransformer> transformer;
  };

  TokenFusionShape shape_;
  std::vector<std::int64_t> grid_;  // extent of the deepest level
  std::vector<Branch> branches_;
  std::shared_ptr<TokenTransformer> transformer_;
  std::shared_ptr<BiasedConv> from_tokens_;
  std::shared_ptr<FusedDecoder> fused_;
  std::shared_ptr<SeparateDecoder> separate_;
};

// Whether {modality}_decode_conv holds the parameter: stored by the published code, never applied.
bool is_unused_by_token_fusion(const std::string& parameter);

// A token transformer of the published shape, whose heads have equal width at any width of the
// network.
TokenTransformerShape token_transformer_shape(double width, double dropout);

}  // namespace lacuna::models
