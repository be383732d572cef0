// The options of MST-KDNet: declared for users, and parsed.
#pragma once

#include <optional>
#include <vector>

#include "base/text/json.h"
#include "base/text/options.h"
#include "losses/extreme_value_distillation.h"
#include "losses/standardised_logits.h"

namespace lacuna::methods {

struct MstKdOptions {
  bool official = false;
  bool shared_network = false;      // one network in two passes
  bool region_targets = false;      // WT, TC, ET, BG in place of NETC, SNFH, ET, BG
  bool resection = false;           // a fifth channel
  bool teacher_background = false;  // published slips: the student's BG terms use the teacher's
  bool detach_teacher = false;
  bool dropout = true, evaluation_dropout = false;
  bool running_statistics = false;  // of batch norm in evaluation
  bool centre_crop = false;
  bool reset_discriminator = false;
  bool shifted_rate = false;  // the rate of the next epoch
  bool zscore = false;
  bool mean_gram = false, paper_gram_features = false;
  double beta2 = 0.999;
  double student_weight = 0.6, content_weight = 0.2, feature_weight = 0.2;
  std::optional<double> attention_weight;  // else attention_weight_for()
  double logit_weight = 1, gram_weight = 1, style_weight = 0, adversarial_weight = 2e-4;
  losses::StandardisedDistillation logits;
  losses::ExtremesOver extremes = losses::ExtremesOver::kTaps;
};

const std::vector<Option>& mst_kdnet_options();
MstKdOptions parse_mst_kdnet_options(const Json& resolved);

// The weight of extreme value distillation. Published: 1e8, for 120 tokens. Attention is 1 / tokens
// on average and the term of fourth order in it, so at other sizes of the crop the published number
// would make the term vanish or drown all others: without `official` it keeps its size.
double attention_weight_for(std::int64_t tokens, const MstKdOptions& options);

}  // namespace lacuna::methods
