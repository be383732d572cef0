// The choices that MST-KDNet's paper and published code leave open or make differently (section
// method_options of a run). Value type.
#pragma once

#include <optional>

#include "losses/extreme_value_distillation.h"
#include "losses/standardised_logits.h"
#include "methods/shared/option_binding.h"

namespace lacuna::methods::mst_kdnet {

struct Options {
  bool official = false;
  bool shared_network = false;      // one network in two passes
  bool region_targets = false;      // WT, TC, ET, BG in place of NETC, SNFH, ET, BG
  bool resection = false;           // a fifth channel
  bool teacher_background = false;  // published slips: the student's BG terms use the teacher's
  bool detach_teacher = false;
  bool consistent_logits = false;  // consistency compares logits, not probabilities
  bool dropout = true, evaluation_dropout = false;
  bool running_statistics = false;  // of batch norm in evaluation
  bool centre_crop = false;
  bool reset_discriminator = false;
  bool shifted_rate = false;  // the rate of the next epoch
  bool zscore = false;
  bool mean_gram = false, paper_gram_features = false;
  double beta2;
  double student_weight, content_weight, feature_weight;
  std::optional<double> attention_weight;  // else attention_weight_for()
  double logit_weight, style_weight, adversarial_weight;
  std::optional<double> gram_weight;
  bool spatial_logits;
  losses::StandardisedDistillation logits;
  losses::ExtremesOver extremes;
};

const OptionBinding<Options>& binding();

// `resolved`: against binding().declared().
Options parse(const Json& resolved);

// The weight of extreme value distillation. Published: 1e8, for 120 tokens. Attention is 1 / tokens
// on average and the term of fourth order in it, so at other sizes of the crop the published number
// would make the term vanish or drown all others: without `official` it keeps its size.
double attention_weight_for(std::int64_t tokens, const Options& options);

}  // namespace lacuna::methods::mst_kdnet
