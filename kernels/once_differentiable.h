// Kernels with a gradient of their own have no second one.
#pragma once

#include <ATen/core/grad_mode.h>

#include "base/error.h"

namespace lacuna::kernels {

// To be called by a backward pass: throws Error when its own gradient is asked for (create_graph).
inline void refuse_second_derivative(const char* kernel) {
  if (!at::GradMode::is_enabled()) return;
  throw_error<Error>(
      "{}: a second derivative was asked for (create_graph), which it does not have. Use ATen's "
      "own "
      "operators for terms that need one.",
      kernel);
}

}  // namespace lacuna::kernels
