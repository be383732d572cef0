// The network of MCKD under the published names: the shared encoder and decoder, and the raw
// importance weights. Not thread-safe.
#pragma once

#include "models/shared_network.h"

namespace lacuna::methods::mckd {

class Network : public models::SharedNetwork {
 public:
  Network(int modalities, int outputs, double width);

  // Convolutions as published; importance weights U(0, 1).
  void initialise() override;

  at::Tensor raw_importance;  // M
};

}  // namespace lacuna::methods::mckd
