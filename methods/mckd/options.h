// The choices that MCKD's paper and published code leave open or make differently (section
// method_options of a run). Defaults are the published code's. Value type.
#pragma once

#include <vector>

#include "base/text/json.h"
#include "base/text/options.h"
#include "losses/pairwise_distillation.h"
#include "methods/mckd/importance_weights.h"

namespace lacuna::methods {

struct MckdOptions {
  double alpha = 0.1;
  losses::DistillationOptions distillation;
  bool meta_fill_mean = false;
  bool skip_fill_mean = false;
  ImportanceNormalisation normalisation = ImportanceNormalisation::kSoftmax;
  bool store_normalised = false;
  bool cosine = false;
  double importance_decay = 5e-4;
  bool warm_up = true;
  bool official = false;
};

const std::vector<Option>& mckd_options();

// `resolved`: against mckd_options(). Throws ConfigError when `official` meets another choice than
// the published code's, or two choices exclude each other.
MckdOptions parse_mckd_options(const Json& resolved);

}  // namespace lacuna::methods
