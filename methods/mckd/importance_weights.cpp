#include "methods/mckd/importance_weights.h"

#include <ATen/ATen.h>

namespace lacuna::methods::mckd {

at::Tensor importance(const at::Tensor& raw, ImportanceNormalisation kind) {
  switch (kind) {
    case ImportanceNormalisation::kSoftmax:
      return raw.softmax(0);
    case ImportanceNormalisation::kRelu:
      return raw.relu();
    case ImportanceNormalisation::kSigmoid:
      return raw.sigmoid();
    case ImportanceNormalisation::kStored:
      break;
  }
  return raw;
}

at::Tensor importance_ratio(const at::Tensor& raw, ImportanceNormalisation kind) {
  const at::Tensor fixed = raw.detach();
  if (kind == ImportanceNormalisation::kSoftmax) {
    return (fixed.unsqueeze(1) - fixed.unsqueeze(0)).exp();
  }
  constexpr double kFloor = 1e-6;
  const at::Tensor weights = importance(fixed, kind).clamp_min(kFloor);
  return weights.unsqueeze(1) / weights.unsqueeze(0);
}

}  // namespace lacuna::methods::mckd
