#include "methods/shared/class_output_loss.h"

#include <stdexcept>

#include <ATen/ATen.h>

#include "losses/class_dice.h"
#include "losses/class_targets.h"
#include "losses/precise.h"
#include "losses/weighted_cross_entropy.h"
#include "models/conv_unit.h"

namespace lacuna::methods {
namespace {

// Dice sums (classes x 2) and, in a row of its own, how many samples count.
at::Tensor batch_sums(const JudgedOutput& output, const losses::ClassTargets& targets) {
  const at::Tensor sums = losses::class_dice_sums(output.probability, targets, output.included);
  const at::Tensor samples = output.included.defined()
                                 ? output.included.sum()
                                 : at::full({}, output.probability.size(0), sums.options());
  return at::cat({sums, samples.to(sums.scalar_type()).expand({1, 2})});
}

}  // namespace

at::Tensor class_probability(const at::Tensor& logits) {
  return losses::precise(logits).softmax(1);
}

OutputGroup separate_group(const std::string& name, const std::vector<at::Tensor>& logits,
                           const ModalityOrder& order, const Batch& batch) {
  OutputGroup group{name, {}};
  at::Tensor available;
  if (!batch.available.empty()) available = order.mask(batch.available, batch.image);
  for (std::size_t m = 0; m < logits.size(); ++m) {
    const auto position = static_cast<std::int64_t>(m);
    group.outputs.push_back({class_probability(logits[m]),
                             available.defined() ? available.select(1, position) : at::Tensor()});
  }
  return group;
}

OutputGroup deep_group(const std::string& name, const std::vector<at::Tensor>& logits) {
  OutputGroup group{name, {}};
  for (std::size_t level = 0; level < logits.size(); ++level) {
    group.outputs.push_back(
        {models::enlarge(class_probability(logits[level]), std::int64_t{2} << level), {}});
  }
  return group;
}

Loss class_output_loss(const std::vector<OutputGroup>& groups, const Batch& batch, bool local) {
  const at::Tensor& first = groups.front().outputs.front().probability;
  const losses::ClassTargets targets =
      losses::class_targets(batch.label, first.size(1), first.scalar_type());
  std::vector<at::Tensor> own;
  for (const OutputGroup& group : groups) {
    for (const JudgedOutput& output : group.outputs) own.push_back(batch_sums(output, targets));
  }
  at::Tensor sums = at::stack(own);  // outputs x (classes + 1) x 2
  if (batch.over_ranks && !local) sums = batch.over_ranks(sums);
  const std::int64_t classes = sums.size(1) - 1;
  const at::Tensor counts = (sums.select(2, 0).select(1, classes) > 0).to(sums.scalar_type());
  const at::Tensor dice = losses::class_dice_loss(sums.narrow(1, 0, classes)) * counts;

  Loss loss;
  std::int64_t begin = 0;
  for (const OutputGroup& group : groups) {
    std::vector<at::Tensor> cross;
    for (const JudgedOutput& output : group.outputs) {
      cross.push_back(losses::weighted_cross_entropy(output.probability, targets, output.included));
    }
    const auto count = static_cast<std::int64_t>(group.outputs.size());
    loss.parts.emplace_back(group.name + "_cross", at::stack(cross).sum());
    loss.parts.emplace_back(group.name + "_dice", dice.narrow(0, begin, count).sum());
    begin += count;
  }
  return loss;
}

at::Tensor part(const Loss& loss, const std::string& name) {
  for (const auto& [own, value] : loss.parts) {
    if (own == name) return value;
  }
  throw std::out_of_range("the loss has no part " + name);
}

}  // namespace lacuna::methods
