// One forward and backward pass of a method laid open, to compare it with another implementation.
//
// Thread-safety: as the method.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "methods/method.h"

namespace lacuna::methods {

// Fills every parameter and buffer with the formula of fill.h under its official name.
void fill_weights(Method& method, std::uint64_t seed);

// An image whose channels come in the order of the published code (Method::published_channels) in
// the order of the cohort. N x M x D x H x W.
at::Tensor from_published_channels(const Method& method, const at::Tensor& image);

struct Comparison {
  at::Tensor output;                                   // raw, N x C x D x H x W
  std::vector<std::pair<std::string, double>> losses;  // parts, then "total"
  // L2 norm of the gradient of every parameter, by official name; nullopt: not in the graph.
  std::vector<std::pair<std::string, std::optional<double>>> gradients;
};

// Runs a phase's loss and its backward pass with gradients for every parameter, whatever the phase
// trains. Gradients stay in the module. Throws ConfigError for an unknown phase.
Comparison compare_phase(Method& method, const std::string& phase, const Batch& batch,
                         const Progress& progress);

}  // namespace lacuna::methods
