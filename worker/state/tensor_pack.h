// Copies of tensors on the host in one piece of memory: to be sent to another rank, kept for later,
// or saved.
//
// The names and shapes are those of the list that it was made for; take() and put() need a list of
// the same names in the same order. Copying a pack shares the memory. Not thread-safe.
#pragma once

#include <cstddef>
#include <span>

#include "worker/state/tensor_transfer.h"

namespace lacuna::worker {

class TensorPack {
 public:
  TensorPack() = default;
  explicit TensorPack(const NamedTensors& live);  // makes room; values are undefined

  void take(const NamedTensors& live);
  void put(const NamedTensors& live) const;

  std::span<std::byte> bytes() const;
  const NamedTensors& tensors() const { return views_; }

 private:
  at::Tensor memory_;
  NamedTensors views_;
};

}  // namespace lacuna::worker
