#include "models/batch_norm.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "kernels/instance_norm.h"

namespace lacuna::models {
namespace {

constexpr double kEpsilon = 1e-5, kMomentum = 0.1;

}  // namespace

BatchNorm::BatchNorm(std::int64_t channels) {
  weight = register_parameter("weight", torch::ones({channels}));
  bias = register_parameter("bias", torch::zeros({channels}));
  running_mean = register_buffer("running_mean", torch::zeros({channels}));
  running_var = register_buffer("running_var", torch::ones({channels}));
  num_batches_tracked = register_buffer("num_batches_tracked", torch::zeros({}, at::kLong));
}

at::Tensor BatchNorm::forward(const at::Tensor& x, const ForwardMode& mode) {
  if (mode.running_statistics) {
    return at::batch_norm(x, weight, bias, running_mean, running_var, /*training=*/false, kMomentum,
                          kEpsilon, /*cudnn_enabled=*/true)
        .relu_();
  }
  if (mode.update_running) follow(x.detach());
  return kernels::instance_norm_act(x, weight, bias, kEpsilon, /*slope=*/0);
}

void BatchNorm::follow(const at::Tensor& x) {
  const torch::NoGradGuard no_grad;
  const auto type = running_mean.scalar_type();
  const auto [variance, mean] = at::var_mean(x.to(type).flatten(2), 2, /*unbiased=*/true);
  num_batches_tracked.add_(1);
  running_mean.lerp_(mean.mean(0), kMomentum);
  if (x.flatten(2).size(2) > 1) running_var.lerp_(variance.mean(0), kMomentum);
}

}  // namespace lacuna::models
