// Standard normal noise that belongs to samples: a function of the sample's key and of the calls so
// far, and of no rank, batch, place in it or memory layout.
//
// One object serves one pass of one network. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

namespace lacuna::methods {

class SampleNoise {
 public:
  // keys: one per sample (methods/shared/sample_keys.h), or none for no noise at all.
  explicit SampleNoise(std::vector<std::uint64_t> keys) : keys_(std::move(keys)) {}

  // N(0, 1) of x's shape, type and device; x: N x ... Precondition: !none().
  at::Tensor like(const at::Tensor& x);
  bool none() const { return keys_.empty(); }

 private:
  std::vector<std::uint64_t> keys_;
  std::vector<at::Generator> generators_;  // made at the first call, on the device of its input
};

}  // namespace lacuna::methods
