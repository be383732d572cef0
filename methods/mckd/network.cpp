#include "methods/mckd/network.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace lacuna::methods::mckd {

Network::Network(int modalities, int outputs, double width)
    : models::SharedNetwork(modalities, outputs, width) {
  const auto weights = register_module("kd_weights", std::make_shared<torch::nn::Module>());
  raw_importance = weights->register_parameter("kd_weights", torch::zeros({modalities}));
}

void Network::initialise() {
  models::SharedNetwork::initialise();
  torch::NoGradGuard no_grad;
  raw_importance.uniform_(0, 1);
}

}  // namespace lacuna::methods::mckd
