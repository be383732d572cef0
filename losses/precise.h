// Losses in a type that sums over voxels can bear: under autocast features end in a short one, and
// products of matrices are made in it whatever their factors are.
#pragma once

#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>

namespace lacuna::losses {

// float, or double where x is. Pure function.
inline at::Tensor precise(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
}

// No autocast on a device while it lives: for losses that multiply matrices.
class PreciseProducts {
 public:
  explicit PreciseProducts(const at::Tensor& on)
      : device_(on.device().type()), was_on_(at::autocast::is_autocast_enabled(device_)) {
    at::autocast::set_autocast_enabled(device_, false);
  }
  ~PreciseProducts() { at::autocast::set_autocast_enabled(device_, was_on_); }
  PreciseProducts(const PreciseProducts&) = delete;
  PreciseProducts& operator=(const PreciseProducts&) = delete;

 private:
  at::DeviceType device_;
  bool was_on_;
};

}  // namespace lacuna::losses
