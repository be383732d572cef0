#include "losses/channel_kl.h"

#include <ATen/ATen.h>

#include "losses/precise.h"

namespace lacuna::losses {
namespace {

at::Tensor log_distribution(const at::Tensor& map, const ChannelKl& options) {
  at::Tensor x = precise(map);
  if (options.standardise) {
    const auto [deviation, mean] = at::std_mean(x, 1, /*unbiased=*/false, /*keepdim=*/true);
    x = (x - mean) / (deviation + 1e-7);
  }
  return (x / options.temperature).log_softmax(1);
}

}  // namespace

at::Tensor channel_kl(const at::Tensor& teacher, const at::Tensor& student,
                      const ChannelKl& options) {
  const at::Tensor p = log_distribution(teacher, options), q = log_distribution(student, options);
  return (p.exp() * (p - q)).sum(1).flatten(1).mean(1);
}

at::Tensor channel_peak(const at::Tensor& map, const ChannelKl& options) {
  return log_distribution(map.detach(), options).amax(1).exp().flatten(1).mean(1);
}

at::Tensor bernoulli_kl(const at::Tensor& teacher, const at::Tensor& student) {
  const at::Tensor x = precise(teacher), y = precise(student);
  // log(1 - sigmoid(x)) = log sigmoid(-x)
  const at::Tensor yes = x.sigmoid() * (at::log_sigmoid(x) - at::log_sigmoid(y));
  const at::Tensor no = (-x).sigmoid() * (at::log_sigmoid(-x) - at::log_sigmoid(-y));
  return (yes + no).flatten(1).mean(1);
}

}  // namespace lacuna::losses
