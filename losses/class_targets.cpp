#include "losses/class_targets.h"

#include <vector>

#include <ATen/ATen.h>

namespace lacuna::losses {

ClassTargets class_targets(const at::Tensor& label, std::int64_t classes, at::ScalarType type) {
  std::vector<at::Tensor> channels(static_cast<std::size_t>(classes));
  for (std::int64_t c = 1; c < classes; ++c) channels[static_cast<std::size_t>(c)] = label == c;
  channels[0] = (label == 0).logical_or_(label >= classes);
  ClassTargets targets;
  targets.one_hot = at::stack(channels, 1).to(type);
  targets.counts = targets.one_hot.flatten(2).sum(2);
  const at::Tensor weights =
      1 - targets.counts / (static_cast<double>(label.numel()) / label.size(0));
  targets.weight = (targets.one_hot * weights.view({label.size(0), classes, 1, 1, 1})).sum(1);
  return targets;
}

}  // namespace lacuna::losses
