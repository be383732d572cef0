#include "methods/shared/modality_order.h"

#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>

namespace lacuna::methods {

ModalityOrder::ModalityOrder(const data::ModalitySet& cohort,
                             const std::vector<std::string>& published)
    : channels_(cohort.names().size()) {
  const auto rank = [&](int channel) {
    const std::string& name = cohort.names()[static_cast<std::size_t>(channel)];
    return std::find(published.begin(), published.end(), name) - published.begin();
  };
  std::iota(channels_.begin(), channels_.end(), 0);
  std::stable_sort(channels_.begin(), channels_.end(),
                   [&](int a, int b) { return rank(a) < rank(b); });
  for (const int channel : channels_) {
    names_.push_back(cohort.names()[static_cast<std::size_t>(channel)]);
  }
}

std::vector<bool> ModalityOrder::present(data::SubsetMask subset) const {
  std::vector<bool> present;
  for (int m = 0; m < size(); ++m) present.push_back(contains(subset, m));
  return present;
}

at::Tensor ModalityOrder::image(const at::Tensor& image) const {
  if (std::is_sorted(channels_.begin(), channels_.end())) return image;
  std::vector<at::Tensor> parts;
  for (const int channel : channels_) parts.push_back(image.narrow(1, channel, 1));
  return at::cat(parts, 1);
}

at::Tensor ModalityOrder::mask(const std::vector<data::SubsetMask>& subsets,
                               const at::Tensor& like) const {
  at::Tensor mask =
      at::zeros({static_cast<std::int64_t>(subsets.size()), size()}, at::dtype(at::kFloat));
  auto entries = mask.accessor<float, 2>();
  for (std::size_t n = 0; n < subsets.size(); ++n) {
    for (int m = 0; m < size(); ++m) {
      entries[static_cast<std::int64_t>(n)][m] = contains(subsets[n], m) ? 1 : 0;
    }
  }
  return mask.to(like.device(), like.scalar_type());
}

const std::vector<std::string>& rfnet_order() {
  static const std::vector<std::string> order = {"FLAIR", "T1c", "T1", "T2"};
  return order;
}

}  // namespace lacuna::methods
