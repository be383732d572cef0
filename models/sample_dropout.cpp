#include "models/sample_dropout.h"

#include <ATen/ATen.h>

#include "base/error.h"

namespace lacuna::models {

at::Tensor SampleDropout::apply(const at::Tensor& x, double p) {
  if (p <= 0) return x;
  const auto samples = static_cast<std::size_t>(x.size(0));
  if (samples != keys_.size()) {
    throw_error<Error>("dropout: a batch of {} samples came with {} keys", samples, keys_.size());
  }
  if (generators_.empty()) {
    for (const std::uint64_t key : keys_) {
      generators_.push_back(at::globalContext().defaultGenerator(x.device()).clone());
      generators_.back().set_current_seed(key);
    }
  }
  at::Tensor factor = at::empty_like(x.detach());
  for (std::size_t n = 0; n < samples; ++n) {
    factor.select(0, static_cast<std::int64_t>(n)).bernoulli_(1 - p, generators_[n]);
  }
  return x * factor.div_(1 - p);
}

}  // namespace lacuna::models
