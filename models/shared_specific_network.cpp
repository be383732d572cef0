#include "models/shared_specific_network.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include "models/image_rows.h"
#include "models/initialisation.h"
#include "models/modality_names.h"

namespace lacuna::models {

std::string private_encoder_name(const std::string& modality) {
  return published_modality_name(modality) + "_enc";
}

SharedSpecificNetwork::SharedSpecificNetwork(const data::ModalitySet& modalities, int outputs,
                                             double width, const SharedSpecificShape& shape)
    : SharedNetwork(modalities.size(), outputs, width) {
  const std::int64_t channels = bottleneck_channels(width);
  const auto layer = register_module("compos_layer", std::make_shared<torch::nn::Module>());
  compose_ = layer->register_module("conv", std::make_shared<WeightStandardisedConv>(
                                                ConvShape{.in = 2 * channels,
                                                          .out = channels,
                                                          .kernel = shape.compose_kernel,
                                                          .padding = shape.compose_kernel / 2}));
  if (shape.classifier) {
    classifier_ = register_module("dom_classifier", std::make_shared<torch::nn::Module>());
    classifier_weight_ =
        classifier_->register_parameter("weight", torch::zeros({modalities.size(), channels}));
    classifier_bias_ = classifier_->register_parameter("bias", torch::zeros({modalities.size()}));
  }
  for (const std::string& name : modalities.names()) {
    private_.push_back(register_module(private_encoder_name(name),
                                       std::make_shared<ResidualEncoder>(/*in=*/1, width)));
  }
}

SharedSpecificNetwork::Private SharedSpecificNetwork::encode_private(
    const at::Tensor& image, const std::vector<data::SubsetMask>& subsets,
    bool classify_missing) const {
  std::vector<at::Tensor> bottlenecks(private_.size()), means(private_.size());
  at::Tensor some_bottleneck, some_mean;
  for (std::size_t m = 0; m < private_.size(); ++m) {
    std::vector<data::SubsetMask> alone;
    for (const data::SubsetMask subset : subsets) alone.push_back(subset >> m & 1u);
    const ImageRows rows(image.narrow(1, static_cast<std::int64_t>(m), 1), alone);
    if (rows.present() == 0 && !classify_missing) continue;
    EncoderOutput out = private_[m]->reduce(rows.images());
    rows.settle({&out.global_mean, &out.reduced});
    some_mean = means[m] = rows.by_sample(out.global_mean.flatten(1));
    if (rows.present() == 0) continue;
    some_bottleneck = bottlenecks[m] = rows.present_by_sample(private_[m]->pool(
        out.reduced.narrow(0, 0, rows.present()), out.global_mean.narrow(0, 0, rows.present())));
  }
  for (std::size_t m = 0; m < private_.size(); ++m) {
    if (!bottlenecks[m].defined()) bottlenecks[m] = at::zeros_like(some_bottleneck);
    if (!means[m].defined()) means[m] = at::zeros_like(some_mean);
  }
  Private own{at::cat(bottlenecks, 1), {}};
  if (classifier_) {
    own.domains = at::linear(at::cat(means, 1), classifier_weight_, classifier_bias_);
  }
  return own;
}

at::Tensor SharedSpecificNetwork::fuse(const at::Tensor& shared,
                                       const at::Tensor& private_features) const {
  const at::Tensor both = at::cat({shared, private_features}, 2).flatten(0, 1);
  return shared + compose_->forward(both).view_as(shared);
}

void SharedSpecificNetwork::initialise() {
  SharedNetwork::initialise();
  initialise_fan_in(*compose_);
  if (classifier_) initialise_fan_in(*classifier_);
  for (const auto& encoder : private_) initialise_fan_out(*encoder);
}

}  // namespace lacuna::models
