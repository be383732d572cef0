#include "methods/shared/subset_decoder.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/utils.h>

namespace lacuna::methods {
namespace {

// Elements of the largest decoder activation of one chunk: 256 MB of floats, a handful of which
// live at a time. Small windows then share one pass, card-size ones take four subsets at once.
constexpr std::int64_t kChunkElements = std::int64_t{1} << 26;

}  // namespace

std::vector<at::Tensor> SubsetDecoder::shares(
    const models::SharedNetwork::Features& features) const {
  std::vector<at::Tensor> result;
  for (int level = 0; level < 4; ++level) {
    const auto weights = network_.decoder().shortcut_weights(level);
    std::vector<at::Tensor> parts;
    for (std::size_t m = 0; m < weights.size(); ++m) {
      const at::Tensor skip = features.skips[level].select(1, static_cast<std::int64_t>(m));
      parts.push_back(network_.decoder().shortcut_part(level, skip, weights[m]));
    }
    result.push_back(at::stack(parts, 1));
  }
  return result;
}

std::vector<at::Tensor> SubsetDecoder::encode(const at::Tensor& image) {
  const torch::NoGradGuard no_grad;
  const int modalities = static_cast<int>(image.size(1));
  const data::SubsetMask full = (data::SubsetMask{1} << modalities) - 1;
  const auto encode_rows = [&](const at::Tensor& x) {
    return network_.encode(x, std::vector<data::SubsetMask>(x.size(0), full));
  };
  const auto shape = image.sizes().slice(2).vec();
  if (absent_.empty() || absent_shape_ != shape ||
      absent_.front().scalar_type() != image.scalar_type()) {
    // One zero image serves every modality: the encoder is shared.
    auto zero = network_.encode(at::zeros_like(image.narrow(0, 0, 1).narrow(1, 0, 1)), {1});
    for (at::Tensor& skip : zero.skips) {
      std::vector<std::int64_t> sizes = skip.sizes().vec();
      sizes[1] = modalities;
      skip = skip.expand(sizes);
    }
    absent_bottleneck_ = zero.bottleneck;
    absent_ = shares(zero);
    absent_shape_ = shape;
  }
  const models::SharedNetwork::Features features = encode_rows(image);
  std::vector<at::Tensor> result{features.bottleneck};
  const auto present = shares(features);
  result.insert(result.end(), present.begin(), present.end());
  result.insert(result.end(), absent_.begin(), absent_.end());
  return result;
}

at::Tensor SubsetDecoder::decode_chunk(const std::vector<at::Tensor>& features,
                                       const std::vector<data::SubsetMask>& subsets) const {
  const at::Tensor& bottleneck = features[0];
  const std::int64_t samples = bottleneck.size(0), modalities = bottleneck.size(1);
  const auto stacked = [&](const auto& make) {
    std::vector<at::Tensor> parts;
    parts.reserve(subsets.size());
    for (const data::SubsetMask subset : subsets) parts.push_back(make(subset));
    return parts.size() == 1 ? parts.front() : at::cat(parts);
  };
  at::Tensor x = stacked([&](data::SubsetMask subset) {
    const std::vector<data::SubsetMask> each(samples, subset);
    return fill_(features, each).flatten(1, 2);
  });
  for (int level = 3; level >= 0; --level) {
    const at::Tensor sum = stacked([&](data::SubsetMask subset) {
      at::Tensor total;
      for (std::int64_t m = 0; m < modalities; ++m) {
        const bool present = data::contains(subset, static_cast<int>(m));
        const at::Tensor share = features[(present ? 1 : 5) + level].select(1, m);
        if (m == 0) {
          total = share.expand_as(features[1 + level].select(1, m)).clone();
        } else {
          total.add_(share);
        }
      }
      return total;
    });
    x = network_.decoder().stage(level, x, network_.decoder().shortcut_from_sum(level, sum));
  }
  const at::Tensor logits = network_.decoder().classify(x);
  return logits.unflatten(0, {static_cast<std::int64_t>(subsets.size()), samples});
}

at::Tensor SubsetDecoder::decode(const std::vector<at::Tensor>& features,
                                 const std::vector<data::SubsetMask>& subsets) {
  const torch::NoGradGuard no_grad;
  const std::int64_t per_subset = std::max<std::int64_t>(1, features[1].select(1, 0).numel());
  const auto chunk =
      static_cast<std::size_t>(std::max<std::int64_t>(1, kChunkElements / per_subset));
  std::vector<at::Tensor> outputs;
  for (std::size_t begin = 0; begin < subsets.size(); begin += chunk) {
    const std::size_t end = std::min(subsets.size(), begin + chunk);
    outputs.push_back(decode_chunk(features, {subsets.begin() + begin, subsets.begin() + end}));
  }
  return at::cat(outputs);
}

}  // namespace lacuna::methods
