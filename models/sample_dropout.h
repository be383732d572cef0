// Dropout whose masks belong to the sample: a function of the sample's key and of the calls so far,
// and of no rank, batch or place in it. A sample then trains alike wherever it lands.
//
// One object serves one forward pass of one network. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

namespace lacuna::models {

class SampleDropout {
 public:
  // keys: one per sample of the batch.
  explicit SampleDropout(std::vector<std::uint64_t> keys) : keys_(std::move(keys)) {}

  // x: N x ...; element-wise, each value dropped with probability p, the others divided by 1 - p.
  at::Tensor apply(const at::Tensor& x, double p);

 private:
  std::vector<std::uint64_t> keys_;
  std::vector<at::Generator> generators_;  // made at the first call, on the device of its input
};

}  // namespace lacuna::models
