// Dropout of a method's transformers in one training pass, one series of masks for each, so that a
// sample trains alike wherever it lands. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "methods/method.h"
#include "models/forward_mode.h"

namespace lacuna::methods {

class TransformerDropout {
 public:
  // `first`: the use (methods/shared/sample_keys.h) of the first of `count` transformers. Nothing
  // is dropped with `on` false, or where the batch has no keys (comparisons from outside).
  TransformerDropout(bool on, const Batch& batch, const Progress& progress, std::uint32_t first,
                     int count);

  // In the order of uses; they point into this object.
  std::vector<models::ForwardMode> modes();

 private:
  int count_;
  std::vector<models::SampleDropout> dropout_;
};

}  // namespace lacuna::methods
