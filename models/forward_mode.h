// How layers that differ between training and evaluation behave in one forward pass.
#pragma once

#include "models/sample_dropout.h"

namespace lacuna::models {

struct ForwardMode {
  SampleDropout* dropout = nullptr;  // null: none
  bool running_statistics = false;   // batch norm by running averages; else of each sample
  bool update_running = false;       // let the running averages follow this batch
};

inline at::Tensor dropped(const at::Tensor& x, double p, const ForwardMode& mode) {
  return mode.dropout != nullptr ? mode.dropout->apply(x, p) : x;
}

}  // namespace lacuna::models
