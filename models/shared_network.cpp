#include "models/shared_network.h"

#include <ATen/ATen.h>

#include "models/image_rows.h"
#include "models/initialisation.h"

namespace lacuna::models {

SharedNetwork::SharedNetwork(int modalities, int outputs, double width) {
  encoder_ = register_module("shared_enc", std::make_shared<ResidualEncoder>(/*in=*/1, width));
  decoder_ =
      register_module("shared_dec", std::make_shared<ResidualDecoder>(modalities, outputs, width));
}

SharedNetwork::Features SharedNetwork::encode(const at::Tensor& image,
                                              const std::vector<data::SubsetMask>& subsets) const {
  const ImageRows rows(image, subsets);
  EncoderOutput out = encoder_->forward(rows.images());
  rows.settle({&out.bottleneck, &out.skips[0], &out.skips[1], &out.skips[2], &out.skips[3]});
  Features features;
  features.bottleneck = rows.by_sample(out.bottleneck);
  for (std::size_t i = 0; i < out.skips.size(); ++i) {
    features.skips[i] = rows.by_sample(out.skips[i]);
  }
  return features;
}

at::Tensor SharedNetwork::decode(const at::Tensor& bottleneck,
                                 const std::array<at::Tensor, 4>& skips) const {
  std::array<at::Tensor, 4> flat;
  for (std::size_t i = 0; i < skips.size(); ++i) flat[i] = skips[i].flatten(1, 2);
  return decoder_->forward(bottleneck.flatten(1, 2), flat);
}

void SharedNetwork::initialise() {
  initialise_fan_out(*encoder_);
  initialise_fan_out(*decoder_);
}

}  // namespace lacuna::models
