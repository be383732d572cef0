#include "losses/selective_kl.h"

#include <ATen/ATen.h>

#include "losses/precise.h"

namespace lacuna::losses {
namespace {

at::Tensor divergence(const at::Tensor& own, const at::Tensor& other, const SelectiveKl& options) {
  const at::Tensor taught = (own / options.temperature).log_softmax(1);
  const at::Tensor teacher = (other.detach() / options.temperature).log_softmax(1);
  const at::Tensor each =
      options.from_teacher ? teacher.exp() * (teacher - taught) : taught.exp() * (taught - teacher);
  const double factor = options.scaled ? options.temperature * options.temperature : 1;
  return each.sum(1) * factor;
}

at::Tensor of_true_class(const at::Tensor& logits, const at::Tensor& one_hot) {
  return (logits.detach().log_softmax(1) * one_hot).sum(1);
}

at::Tensor per_sample(const at::Tensor& x) { return x.flatten(1).sum(1); }

}  // namespace

at::Tensor selective_kl_sums(const at::Tensor& first, const at::Tensor& second,
                             const at::Tensor& one_hot, const SelectiveKl& options) {
  const at::Tensor one = precise(first), two = precise(second);
  // Q_1 > Q_2; ties go to the second network.
  const at::Tensor worse =
      (of_true_class(one, one_hot) < of_true_class(two, one_hot)).to(one.scalar_type());
  const at::Tensor rest = 1 - worse;
  return at::stack({per_sample(worse * divergence(one, two, options)), per_sample(worse),
                    per_sample(rest * divergence(two, one, options)), per_sample(rest)},
                   1)
      .unflatten(1, {2, 2});
}

at::Tensor selective_kl_loss(const at::Tensor& sums) {
  return sums.select(-1, 0) / sums.select(-1, 1).clamp_min(1);
}

}  // namespace lacuna::losses
