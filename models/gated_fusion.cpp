#include "models/gated_fusion.h"

#include <ATen/ATen.h>

#include "kernels/conv3d.h"
#include "models/modality_names.h"

namespace lacuna::models {

UnitStyle gated_style() {
  return {.border = Border::kReflect,
          .slope = 0.2,
          .epsilon = 1e-6,
          .norm = UnitNorm::kAffine,
          .nearest = true};
}

std::vector<std::int64_t> gated_channels(double width) {
  return doubling_channels(16, kGatedLevels, width, 1);
}

MaskDecoder::MaskDecoder(const std::vector<std::int64_t>& channels, int classes)
    : TrunkDecoder(channels, gated_style()) {
  classify_ = register_module(
      "seg_logit", std::make_shared<ConvUnit>(channels.front(), classes, 1,
                                              UnitStyle{.slope = 1, .norm = UnitNorm::kNone}));
}

MaskDecoder::Output MaskDecoder::forward(const std::vector<at::Tensor>& given) const {
  at::Tensor x = given.back();
  for (int level = levels(); level > 0; --level) {
    x = leave(level, at::cat({enter(level, x), given[static_cast<std::size_t>(level) - 1]}, 1));
  }
  return {classify_->forward(x), x};
}

GatedNetwork::GatedNetwork(const std::vector<std::string>& modalities, int classes, double width)
    : channels_(gated_channels(width)) {
  for (const std::string& modality : modalities) {
    encoders_.push_back(
        register_module("ce_" + lower_modality_name(modality),
                        std::make_shared<ModalityEncoder>(channels_, gated_style())));
  }
  const auto count = static_cast<std::int64_t>(modalities.size());
  UnitStyle gate = gated_style();
  gate.slope = 1;  // the sigmoid takes what the norm leaves
  for (std::size_t level = 0; level < channels_.size(); ++level) {
    gates_.push_back(
        register_module("att_c" + std::to_string(level + 1),
                        std::make_shared<ConvUnit>(count * channels_[level], count, 3, gate)));
  }
  for (std::size_t level = 0; level < channels_.size(); ++level) {
    fusions_.push_back(register_module(
        "fusion_c" + std::to_string(level + 1),
        std::make_shared<ConvUnit>(count * channels_[level], channels_[level], 1, gated_style())));
  }
  decoder_ = register_module("mask_de", std::make_shared<MaskDecoder>(channels_, classes));
}

GatedShares GatedNetwork::shares(const at::Tensor& image, std::size_t modality) const {
  GatedShares own;
  const std::vector<at::Tensor> features = encoders_[modality]->forward(image);
  for (std::size_t level = 0; level < features.size(); ++level) {
    const std::int64_t c = channels_[level], first = static_cast<std::int64_t>(modality) * c;
    const at::Tensor wider = at::reflection_pad3d(features[level], std::vector<std::int64_t>(6, 1));
    own.gates.push_back(kernels::conv3d(wider, gates_[level]->conv->weight.narrow(1, first, c)));
    own.features.push_back(
        kernels::conv3d(features[level], fusions_[level]->conv->weight.narrow(1, first, c)));
  }
  return own;
}

std::vector<at::Tensor> GatedNetwork::fuse(const std::vector<GatedShares>& given,
                                           const at::Tensor& mask) const {
  const auto add = [](at::Tensor& sum, const at::Tensor& value) {
    sum = sum.defined() ? sum + value : value;
  };
  const auto bias = [](const ConvUnit& unit) { return unit.conv->bias.view({1, -1, 1, 1, 1}); };
  std::vector<at::Tensor> fused;
  for (std::size_t level = 0; level < channels_.size(); ++level) {
    at::Tensor gates, features;
    for (std::size_t m = 0; m < given.size(); ++m) {
      if (given[m].empty()) continue;
      const at::Tensor& share = given[m].gates[level];
      const auto at = static_cast<std::int64_t>(m);
      add(gates, mask.defined() ? share * mask.select(1, at).view({-1, 1, 1, 1, 1}) : share);
    }
    gates = gates_[level]->normalise(gates + bias(*gates_[level])).sigmoid();
    if (mask.defined()) gates = gates * mask.view({mask.size(0), mask.size(1), 1, 1, 1});
    for (std::size_t m = 0; m < given.size(); ++m) {
      if (given[m].empty()) continue;
      add(features, given[m].features[level] * gates.narrow(1, static_cast<std::int64_t>(m), 1));
    }
    fused.push_back(fusions_[level]->normalise(features + bias(*fusions_[level])));
  }
  return fused;
}

MaskDecoder::Output GatedNetwork::decode(const std::vector<at::Tensor>& fused) const {
  return decoder_->forward(fused);
}

}  // namespace lacuna::models
