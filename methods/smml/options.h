// The choices that SMML's paper and published code leave open (section method_options of a run).
// Defaults are the published code's where it can be told, else the paper's. Value type.
#pragma once

#include <cstdint>
#include <string>

#include "losses/selective_kl.h"
#include "methods/shared/option_binding.h"
#include "models/biased_conv.h"

namespace lacuna::methods::smml {

struct Options {
  models::Border border = models::Border::kReflect;
  bool aligned_tokens = false, dropout = true, local_dice = false, official = false;
  std::int64_t et_min = 0;

  // What is there of the method.
  bool dual = true, helpers = true, pixel = true, prototype = true, refinement = true;
  std::string label_map = "sam";
  std::int64_t start_epoch = 0;

  // Between the networks.
  losses::SelectiveKl selective;
  bool per_sample = false;
  bool raw_weights = false, whole_batch_classes = false, area_cells = false;

  // Refinement.
  bool empty_masks = false, mask_weights = true, mask_background = true;
  bool refined_logits = false, stop_at_refined = false;

  bool average_probabilities = false;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::smml
