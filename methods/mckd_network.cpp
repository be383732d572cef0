#include "methods/mckd_network.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "models/initialisation.h"

namespace lacuna::methods {

MckdNetwork::MckdNetwork(int modalities, int outputs, double width) {
  encoder_ =
      register_module("shared_enc", std::make_shared<models::ResidualEncoder>(/*in=*/1, width));
  decoder_ = register_module("shared_dec",
                             std::make_shared<models::ResidualDecoder>(modalities, outputs, width));
  const auto weights = register_module("kd_weights", std::make_shared<torch::nn::Module>());
  raw_importance = weights->register_parameter("kd_weights", torch::zeros({modalities}));
}

MckdNetwork::Features MckdNetwork::encode(const at::Tensor& image,
                                          const std::vector<data::SubsetMask>& subsets) const {
  const std::int64_t samples = image.size(0), modalities = image.size(1);
  std::vector<std::int64_t> present, source(samples * modalities, -1);
  for (std::int64_t row = 0; row < samples * modalities; ++row) {
    if (!data::contains(subsets[row / modalities], static_cast<int>(row % modalities))) continue;
    source[row] = static_cast<std::int64_t>(present.size());
    present.push_back(row);
  }
  at::Tensor rows =
      image.reshape({samples * modalities, 1, image.size(2), image.size(3), image.size(4)});
  const bool complete = static_cast<std::int64_t>(present.size()) == samples * modalities;
  at::Tensor index;
  if (!complete) {
    for (std::int64_t& each : source) {
      if (each < 0) each = static_cast<std::int64_t>(present.size());
    }
    const at::Tensor zero = at::zeros_like(rows.narrow(0, 0, 1));
    rows = at::cat({rows.index_select(0, at::tensor(present).to(rows.device())), zero});
    index = at::tensor(source).to(rows.device());
  }
  const models::EncoderOutput out = encoder_->forward(rows);
  const auto by_sample = [&](const at::Tensor& x) {
    const at::Tensor all = complete ? x : x.index_select(0, index);
    return all.unflatten(0, {samples, modalities});
  };
  Features features;
  features.bottleneck = by_sample(out.bottleneck);
  for (std::size_t i = 0; i < out.skips.size(); ++i) features.skips[i] = by_sample(out.skips[i]);
  return features;
}

at::Tensor MckdNetwork::decode(const at::Tensor& bottleneck,
                               const std::array<at::Tensor, 4>& skips) const {
  std::array<at::Tensor, 4> flat;
  for (std::size_t i = 0; i < skips.size(); ++i) flat[i] = skips[i].flatten(1, 2);
  return decoder_->forward(bottleneck.flatten(1, 2), flat);
}

void MckdNetwork::initialise() {
  models::initialise_fan_out(*encoder_);
  models::initialise_fan_out(*decoder_);
  torch::NoGradGuard no_grad;
  raw_importance.uniform_(0, 1);
}

}  // namespace lacuna::methods
