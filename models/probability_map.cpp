#include "models/probability_map.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace lacuna::models {

ProbabilityMap::ProbabilityMap(std::int64_t modalities, std::int64_t channels, std::int64_t hidden,
                               int classes, bool below, const UnitStyle& style) {
  const auto embedding = register_module("embedding_layer", std::make_shared<torch::nn::Module>());
  const std::int64_t narrow = std::max<std::int64_t>(1, channels / 4);
  const auto unit = [&](std::int64_t in, std::int64_t out, std::int64_t kernel) {
    return std::make_shared<ConvUnit>(in, out, kernel, style);
  };
  embedding_[0] = embedding->register_module("0", unit(modalities * channels, narrow, 1));
  embedding_[1] = embedding->register_module("1", unit(narrow, narrow, 3));
  embedding_[2] = embedding->register_module("2", unit(narrow, channels, 1));
  const auto head = register_module("prm_layer", std::make_shared<torch::nn::Module>());
  unit_ = head->register_module("0", unit(below ? 2 * channels : channels, hidden, 1));
  classify_ = head->register_module("1", plain_conv(hidden, classes));
}

at::Tensor ProbabilityMap::forward(const at::Tensor& features, const at::Tensor& below) const {
  at::Tensor x = features;
  for (const auto& unit : embedding_) x = unit->forward(x);
  if (below.defined()) x = at::cat({below, x}, 1);
  const at::Tensor logits = classify_->forward(unit_->forward(x));
  return (logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat)).softmax(1);
}

}  // namespace lacuna::models
