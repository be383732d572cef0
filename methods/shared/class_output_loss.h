// The loss of RFNet and its successors: weighted cross entropy and Dice over the batch of several
// groups of outputs that one label judges. Pure function.
#pragma once

#include <string>
#include <vector>

#include "methods/method.h"
#include "methods/shared/modality_order.h"

namespace lacuna::methods {

struct JudgedOutput {
  at::Tensor probability;  // N x classes x D x H x W
  // N, 1 where the output counts for a sample, 0 where not (a modality that the case lacks);
  // undefined: it counts for all.
  at::Tensor included;
};

struct OutputGroup {
  std::string name;
  std::vector<JudgedOutput> outputs;
};

// Logits N x classes x ... -> probabilities, in a type that sums can bear.
at::Tensor class_probability(const at::Tensor& logits);

// Of the decoder of single modalities, logits by modality in the network's order: what a case never
// had is no image to segment and does not count; what the subset lacks is one.
OutputGroup separate_group(const std::string& name, const std::vector<at::Tensor>& logits,
                           const ModalityOrder& order, const Batch& batch);
// Of the levels of a decoder, logits at 1/2, 1/4, ... of the extent: softmax first, then enlarged.
OutputGroup deep_group(const std::string& name, const std::vector<at::Tensor>& logits);

// Per group, in the order given, the sum over its outputs of cross entropy and of Dice: parts
// "<name>_cross" and "<name>_dice". An output that counts for no sample of the batch adds nothing.
// Dice sums run over all ranks unless `local` (one call of Batch::over_ranks). total and output are
// left to the method.
Loss class_output_loss(const std::vector<OutputGroup>& groups, const Batch& batch, bool local);

// The value of a part. Throws std::out_of_range.
at::Tensor part(const Loss& loss, const std::string& name);

}  // namespace lacuna::methods
