#include "losses/region_targets.h"

#include <ATen/ATen.h>

namespace lacuna::losses {

at::Tensor region_targets(const at::Tensor& label, const std::vector<data::Region>& regions,
                          at::ScalarType type) {
  std::vector<at::Tensor> channels;
  channels.reserve(regions.size());
  for (const data::Region& region : regions) {
    at::Tensor channel = at::zeros_like(label, label.options().dtype(at::kBool));
    for (std::uint8_t tissue = 0; tissue < 32; ++tissue) {
      if (data::contains(region, tissue)) channel.logical_or_(label == tissue);
    }
    channels.push_back(channel);
  }
  return at::stack(channels, 1).to(type);
}

}  // namespace lacuna::losses
