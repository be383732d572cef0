#include "methods/shared/sample_noise.h"

#include <ATen/ATen.h>

namespace lacuna::methods {

// Drawn into contiguous memory, so that it does not depend on the layout of x.
at::Tensor SampleNoise::like(const at::Tensor& x) {
  if (generators_.empty()) {
    for (const std::uint64_t key : keys_) {
      generators_.push_back(at::globalContext().defaultGenerator(x.device()).clone());
      generators_.back().set_current_seed(key);
    }
  }
  at::Tensor noise = at::empty(x.sizes(), x.options().memory_format(at::MemoryFormat::Contiguous));
  for (std::int64_t n = 0; n < x.size(0); ++n) {
    noise.select(0, n).normal_(0, 1, generators_[static_cast<std::size_t>(n)]);
  }
  return noise;
}

}  // namespace lacuna::methods
