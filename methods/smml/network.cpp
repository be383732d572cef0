#include "methods/smml/network.h"

#include <ATen/ATen.h>

#include "models/initialisation.h"

namespace lacuna::methods::smml {

Network::Network(const models::TokenFusionShape& shape) : TokenFusionNetwork(shape) {
  const auto modalities = static_cast<std::int64_t>(shape.modalities.size());
  unet_ =
      register_module("unet3d", std::make_shared<RefinementUnet>((modalities + 1) * shape.classes,
                                                                 shape.classes, shape.width));
  weights_ = register_module("sam_weight_fuse",
                             std::make_shared<MaskWeights>(modalities, shape.classes, shape.width));
}

void Network::initialise() {
  models::initialise_kaiming(*this);
  unet_->initialise();
}

at::Tensor masks_of_subset(const at::Tensor& masks, const at::Tensor& mask) {
  return masks * mask.to(masks.scalar_type()).view({mask.size(0), mask.size(1), 1, 1, 1, 1});
}

at::Tensor Network::refine(const at::Tensor& masks, const at::Tensor& mask,
                           const at::Tensor& one_hot, const at::Tensor& logits, bool weigh) const {
  at::Tensor seen = masks_of_subset(masks, mask);
  if (weigh) {
    seen = seen * weights_->forward(seen, one_hot).unsqueeze(-1).unsqueeze(-1).unsqueeze(-1);
  }
  // Channel C modality + class.
  return unet_->forward(at::cat({seen.flatten(1, 2), logits.detach()}, 1));
}

}  // namespace lacuna::methods::smml
