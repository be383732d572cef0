// One of SMML's two networks under the names of its published state_dict: mmFormer, and the
// refinement that only training uses. Not thread-safe.
#pragma once

#include <memory>

#include "methods/smml/refinement.h"
#include "models/token_fusion_network.h"

namespace lacuna::methods::smml {

class Network : public models::TokenFusionNetwork {
 public:
  explicit Network(const models::TokenFusionShape& shape);
  void initialise();

  // Card 2.2. masks: N x M x C x D x H x W; mask: N x M, what a sample's subset lacks is 0;
  // one_hot: the truth; logits: the main output, into which no gradient goes. weigh: else every
  // mask counts as it is. -> refined logits N x C x D x H x W.
  at::Tensor refine(const at::Tensor& masks, const at::Tensor& mask, const at::Tensor& one_hot,
                    const at::Tensor& logits, bool weigh = true) const;

 private:
  std::shared_ptr<RefinementUnet> unet_;
  std::shared_ptr<MaskWeights> weights_;
};

// The masks of modalities that a sample's subset lacks become 0. mask: N x M.
at::Tensor masks_of_subset(const at::Tensor& masks, const at::Tensor& mask);

}  // namespace lacuna::methods::smml
