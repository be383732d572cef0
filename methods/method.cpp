#include "methods/method.h"

#include <ATen/ops/stack.h>

namespace lacuna::methods {

Features Method::encode(const at::Tensor& image) { return {image}; }

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  std::vector<at::Tensor> outputs;
  outputs.reserve(subsets.size());
  for (const SubsetMask subset : subsets) outputs.push_back(forward(features.front(), subset));
  return at::stack(outputs);
}

}  // namespace lacuna::methods
