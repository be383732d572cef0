#include "worker/step/over_ranks.h"

#include <torch/csrc/autograd/custom_function.h>

#include "comm/tensor_sum.h"

namespace lacuna::worker {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct SumOverRanks : public torch::autograd::Function<SumOverRanks> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& mine, RankGroup* ranks,
                            double share) {
    context->saved_data["share"] = share;
    const at::Tensor sum =
        mine.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
    ranks->wait(*comm::sum_tensor(ranks->trainer_ranks(), sum), "the sums of a loss");
    return sum.to(mine.scalar_type());
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    return {grads[0] / context->saved_data["share"].toDouble(), {}, {}};
  }
};

}  // namespace

std::function<at::Tensor(const at::Tensor&)> sum_over_ranks(RankGroup& ranks, double share) {
  return
      [&ranks, share](const at::Tensor& mine) { return SumOverRanks::apply(mine, &ranks, share); };
}

}  // namespace lacuna::worker
